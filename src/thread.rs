//! Threads as this program has them: small, named, and not ended by a panic that they could survive.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use crate::shutdown::Stop;

/// Deep enough for a TLS handshake; most of it is never touched.
pub const STACK: usize = 256 << 10;
const AFTER_PANIC: Duration = Duration::from_secs(10);

/// A thread that waits for its task. Dropped without one, it ends.
pub struct Spare<T>(Sender<T>);

impl<T: Send + 'static> Spare<T> {
    /// # Errors
    /// A text for the operator, when there is no room for a thread.
    pub fn new(name: &str, work: impl FnOnce(T) + Send + 'static) -> Result<Self, String> {
        let builder = thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK);
        let (hand_over, given) = bounded(1);
        let spawned = builder.spawn(move || {
            if let Ok(task) = given.recv() {
                work(task);
            }
        });
        spawned.map_err(|error| {
            format!(
                "cannot start thread {name}: {error}; is a limit on threads or on memory too low \
                 (ulimit -u, TasksMax=)?"
            )
        })?;
        Ok(Self(hand_over))
    }

    pub fn begin(self, task: T) {
        // It waits for that.
        let _ = self.0.send(task);
    }
}

/// A thread that does whatever it is given.
pub type Idle = Spare<Box<dyn FnOnce() + Send>>;

/// # Errors
/// A text for the operator, when there is no room for a thread.
pub fn idle(name: &str) -> Result<Idle, String> {
    Spare::new(name, |work: Box<dyn FnOnce() + Send>| work())
}

/// Whether so many more threads of this name could be had now.
///
/// # Errors
/// A text for the operator, when there is no room for them.
pub fn check_room_for(name: &str, threads: usize) -> Result<(), String> {
    // They end when this is left.
    let spare = |_| Spare::new(name, drop::<()>);
    (0..threads)
        .map(spare)
        .collect::<Result<Vec<_>, _>>()
        .map(drop)
}

/// Starts a thread that does `work` with `task`.
///
/// # Errors
/// A text for the operator, when there is no room for a thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    task: T,
    work: impl FnOnce(T) + Send + 'static,
) -> Result<(), String> {
    Spare::new(name, work).map(|spare| spare.begin(task))
}

/// Does `work`, and begins again after a panic: that is a bug, which must not end what the service
/// lives of.
pub fn keep_at(stop: &Stop, work: impl Fn()) {
    while catch_unwind(AssertUnwindSafe(&work)).is_err() {
        log::error!(
            "a panic, which is a bug: please report the message above; going on in \
             {AFTER_PANIC:.0?}"
        );
        if stop.wait(AFTER_PANIC).is_err() {
            break;
        }
    }
}

/// Locks, whether or not a thread has panicked with the lock: what our locks guard is changed in
/// single steps, so it is whole.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
