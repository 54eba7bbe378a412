//! A program that asks and waits for answers. However it is left, it does not outlive this.

use std::process::{Child, ExitStatus};

use crossbeam_channel::{Receiver, Sender};
use rustix::process::{Pid, Signal, kill_process_group};

use super::{SHOWN, ToolError};
use crate::deadline::{Deadline, Early};
use crate::foreign::{Keep, one_line};
use crate::secret::Secret;

/// A program that runs, and is spoken with. When this is dropped, the program is ended.
pub struct Conversation<'a> {
    pub(super) what: String,
    pub(super) child: Child,
    pub(super) is_over: bool,
    pub(super) input: Option<Sender<Vec<u8>>>,
    pub(super) heard: Receiver<Vec<u8>>,
    pub(super) complained: Receiver<Vec<u8>>,
    pub(super) secrets: &'a [&'a Secret],
    pub(super) deadline: Deadline<'a>,
}

impl Conversation<'_> {
    /// Writes to its standard input, without waiting until it reads that.
    pub fn say(&self, piece: Vec<u8>) {
        // One that does not listen any more says why, or has nothing more to say.
        let _ = self.input.as_ref().map(|input| input.send(piece));
    }

    /// Closes its standard input.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// The next piece of its standard output; none at its end.
    ///
    /// # Errors
    /// [`ToolError`], when its time is over.
    pub fn hear(&mut self) -> Result<Option<Vec<u8>>, ToolError> {
        let heard = self.deadline.await_next(&self.heard);
        heard.map_err(|early| self.ended_early(early))
    }

    /// What it wrote to standard error, as soon as that is at its end: without the secrets, on one
    /// line.
    ///
    /// # Errors
    /// As with [`Conversation::hear`].
    pub fn complaints(&mut self) -> Result<String, ToolError> {
        let complained = self.deadline.await_next(&self.complained);
        let complaints = complained.map_err(|early| self.ended_early(early))?;
        let said = self.without_secrets(&complaints.unwrap_or_default());
        Ok(one_line(&said, Keep::End(SHOWN)))
    }

    pub(super) fn end(&mut self) -> Result<ExitStatus, ToolError> {
        self.is_over = true;
        self.child.wait().map_err(|error| ToolError::NotRun {
            what: self.what.clone(),
            error,
        })
    }

    pub(super) fn without_secrets(&self, said: &[u8]) -> String {
        Secret::scrub_all(self.secrets.iter().copied(), &String::from_utf8_lossy(said))
    }

    pub(super) fn ended_early(&self, early: Early) -> ToolError {
        let what = self.what.clone();
        match early {
            Early::TooLong(limit) => ToolError::TooLong { what, limit },
            Early::GivenUp => ToolError::GivenUp { what },
        }
    }
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
