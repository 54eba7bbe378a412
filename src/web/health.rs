//! Whether the service lives, and whether all of its runners can work: for what restarts it, or calls somebody.

use std::path::Path;

use rustix::fs::{Access, access};

use super::answer::Answer;
use crate::foreign::{Keep, one_line};
use crate::status::{Does, View};

/// The main loop has answered by then.
pub fn alive(view: &View, state_folder: &Path) -> Answer {
    if let Some(why) = &view.unwritten {
        return Answer::words(503, &one_line(why, Keep::All));
    }
    // It is written to only when something happens.
    match access(state_folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Answer::words(200, "well"),
        Err(error) => {
            let folder = state_folder.display();
            Answer::words(
                503,
                &format!("the state file can't be written: {folder}: {error}"),
            )
        }
    }
}

pub fn ready(view: &View) -> Answer {
    let runners = view.report.runners.iter();
    let unable = runners.filter(|runner| !can_work(runner.does));
    let lines: Vec<_> = unable
        .map(|runner| {
            let (name, reason) = (&runner.name, &runner.reason);
            one_line(&format!("runner {name}: {reason}"), Keep::All)
        })
        .collect();
    if lines.is_empty() {
        Answer::words(200, "all runners can work")
    } else {
        Answer::words(503, &lines.join("\n"))
    }
}

/// One that has no room is at work.
pub const fn can_work(does: Does) -> bool {
    matches!(does, Does::Ask | Does::Wait)
}
