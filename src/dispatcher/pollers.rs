//! Those who ask for jobs. They work in shifts: one ends when the service stops or drains, and when the
//! configuration was read again; then the next one begins with the runners that there are now.
//!
//! Each runner of a coordinator has a thread of its own, for as long as there is a section for it, under
//! whatever name: what is under way when a shift ends comes to its end before the next one's request.

use std::collections::BTreeMap;
use std::time::Instant;

use crossbeam_channel::{Sender, unbounded};

use super::event::Event;
use super::poll::Poller;
use super::turn::Turn;
use crate::logger::{self, Subject};
use crate::names::RunnerName;
use crate::shutdown::{self, Stop, Stopper};
use crate::thread::{keep_at, spawn};

#[derive(Default)]
pub struct Pollers {
    threads: BTreeMap<RunnerName, Sender<Poller>>,
    /// Of all who are at work, those of the last shift among them.
    turns: Vec<Turn>,
    /// Ends with this.
    shift: Option<Stopper>,
    /// What those get who are to begin it.
    stop: Option<Stop>,
}

impl Pollers {
    /// Ends the shift. Who is needed no more is gone when its request has been answered.
    pub fn end_shift(&mut self) {
        self.shift = None;
        self.stop = None;
    }

    /// Begins a new one; nobody has been sent to it yet.
    #[must_use]
    pub fn new_shift(&mut self) -> Stop {
        let (stopper, stop) = shutdown::channel();
        self.shift = Some(stopper);
        self.stop = Some(stop.clone());
        self.turns.retain(Turn::is_waited_for);
        stop
    }

    /// What the pollers of this shift get, once, when they are to begin.
    pub fn begins_with(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    /// Sends these to work, and the threads home that have no section any more.
    ///
    /// # Errors
    /// A text for the operator, when there is no room for a thread.
    pub fn send(&mut self, pollers: Vec<Poller>) -> Result<(), String> {
        let is_needed = |name: &RunnerName| {
            pollers
                .iter()
                .any(|poller| poller.runner.unique_name == *name)
        };
        self.threads.retain(|name, _| is_needed(name));
        for poller in pollers {
            self.turns.push(poller.turn.clone());
            let name = poller.runner.unique_name.clone();
            if !self.threads.contains_key(&name) {
                let (assign, assignments) = unbounded::<Poller>();
                let number = self.threads.len();
                spawn(&format!("poll-{number}"), assignments, |assignments| {
                    assignments.into_iter().for_each(work);
                })?;
                self.threads.insert(name.clone(), assign);
            }
            if let Some(thread) = self.threads.get(&name) {
                // It ends only when this is dropped.
                let _ = thread.send(poller);
            }
        }
        Ok(())
    }

    /// How many have a request under way that is worth waiting for.
    pub fn asking(&self) -> usize {
        self.turns.iter().filter_map(Turn::give_up_or_when).count()
    }

    /// Gives up the requests that have waited too long for a shift that has ended; when the next one
    /// will have.
    pub fn give_up_or_when(&self) -> Option<Instant> {
        self.turns.iter().filter_map(Turn::give_up_or_when).min()
    }

    /// Whether anybody may still bring a job.
    pub fn are_at_work(&self) -> bool {
        self.turns.iter().any(Turn::is_waited_for)
    }
}

fn work(poller: Poller) {
    logger::about(Subject::runner(&poller.runner.name));
    let events = poller.events.clone();
    keep_at(&poller.stop, || poller.run());
    drop(poller);
    let _ = events.send(Event::PollerDone);
}
