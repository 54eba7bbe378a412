//! What came of it, beside what it should be.

use rig::{Colour, Show, show};

use crate::measure::Numbers;

pub fn numbers(show: &Show, numbers: &Numbers) {
    let unknown = || "unknown".to_owned();
    let kibibytes = |size: Option<f64>| size.map_or_else(unknown, |size| format!("{size:.0} KiB"));
    let mebibytes = |size: u64| format!("{:.1} MiB", size as f64 / 1024.0);
    let launch = numbers.launch;
    let launch = launch.map_or_else(unknown, |time| format!("{} ms", time.as_millis()));
    let idle = numbers.idle;
    let own = idle.map_or_else(unknown, |idle| mebibytes(idle.own));
    let idle = idle.map_or_else(unknown, |idle| mebibytes(idle.resident));
    let processor = numbers.processor_per_launch();
    let processor = processor.map_or_else(unknown, |time| {
        format!("{:.1} ms", time.as_secs_f64() * 1000.0)
    });
    let git = format!("{:.1}", numbers.git_per_launch());
    let running = kibibytes(numbers.per_job(numbers.running));
    let launching = kibibytes(numbers.per_job(numbers.launching));
    let title = format!("\nNumbers, of {}", kind_of_build());
    show::print(&show.paint(Colour::Bold, &title));
    for (what, value, remark) in [
        (
            "from grant to push, a job on its own",
            launch,
            "aim: below 50 ms",
        ),
        ("memory with nothing to do", idle, "aim: below 4 MiB"),
        ("  without binary and libraries", own, ""),
        ("memory for each running job", running, "aim: below 64 KiB"),
        ("  while all are launched at once", launching, ""),
        ("processor time for each job", processor, "git included"),
        // Git starts one more itself.
        ("git processes for each launch", git, "aim: 2"),
    ] {
        let remark = show.paint(Colour::Dim, remark);
        let line = format!("  {what:38}{value:>10}   {remark}");
        show::print(line.trim_end());
    }
}

/// The program is built as the bench is.
fn kind_of_build() -> String {
    let profile = if cfg!(debug_assertions) {
        "a debug build"
    } else {
        "a release build"
    };
    let library = if cfg!(target_env = "musl") {
        "static"
    } else {
        "with the system's libraries"
    };
    format!("{profile}, {library} (the aims are for a static release build)")
}
