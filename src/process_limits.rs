//! What the system lets this process do.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Leaves no core dump, which would have the tokens of every job in it, and takes as many file
/// descriptors as it may: hundreds of jobs at once need them.
pub fn set() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Where that is forbidden it can't be helped: it is a second line of defence.
    let _ = setrlimit(Resource::Core, none);
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: files.maximum,
            ..files
        },
    );
}
