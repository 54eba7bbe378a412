//! Bounds how much of something goes on at once: exchanges with one service, pushes.
//!
//! A thread takes a permit, and waits for one when all are taken. A service that stops keeps no
//! thread waiting. What the permits are for is not known here.

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::shutdown::{Stop, Stopped};

/// A fixed number of permits. Cheap to clone; clones share them.
#[derive(Clone, Debug)]
pub struct Semaphore {
    free: Receiver<()>,
    back: Sender<()>,
}

/// One of a semaphore's, until this is dropped.
#[derive(Debug)]
pub struct Permit(Sender<()>);

impl Semaphore {
    #[must_use]
    pub fn new(permits: usize) -> Self {
        let (back, free) = bounded(permits);
        for _ in 0..permits {
            let _ = back.try_send(());
        }
        Self { free, back }
    }

    /// Waits until a permit is free.
    ///
    /// # Errors
    /// [`Stopped`] when the service stops before.
    pub fn acquire(&self, stop: &Stop) -> Result<Permit, Stopped> {
        stop.wait_for(&self.free)?;
        Ok(Permit(self.back.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // There is room for it: it was taken from there.
        let _ = self.0.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::Semaphore;
    use crate::shutdown::{Stopped, channel};

    #[test]
    fn a_permit_is_free_again_when_it_is_dropped_even_by_a_panic() {
        let (_stopper, stop) = channel();
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire(&stop);
        let panicked = thread::spawn(move || {
            let _permit = permit;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(semaphore.acquire(&stop).is_ok());
    }

    #[test]
    fn no_thread_waits_for_a_permit_when_the_service_stops() {
        let (stopper, stop) = channel();
        let semaphore = Semaphore::new(1);
        let _permit = semaphore.acquire(&stop);
        let waiting = thread::spawn({
            let (semaphore, stop) = (semaphore.clone(), stop.clone());
            move || semaphore.acquire(&stop).map(drop)
        });
        drop(stopper);
        assert_eq!(waiting.join().unwrap(), Err(Stopped));
    }
}
