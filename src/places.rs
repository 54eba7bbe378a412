//! A number of places, each of which one thread has at a time: what bounds how much of something
//! goes on at once. Whoever comes too late waits, and is not kept by a service that stops.

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::shutdown::{Stop, Stopped};

/// Cheap to clone; clones share their places.
#[derive(Clone, Debug)]
pub struct Places {
    free: Receiver<()>,
    back: Sender<()>,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub struct Place(Sender<()>);

impl Places {
    #[must_use]
    pub fn new(count: usize) -> Self {
        let (back, free) = bounded(count);
        for _ in 0..count {
            let _ = back.try_send(());
        }
        Self { free, back }
    }

    /// Waits until one is free.
    ///
    /// # Errors
    /// [`Stopped`] when the service stops before.
    pub fn take(&self, stop: &Stop) -> Result<Place, Stopped> {
        stop.wait_for(&self.free)?;
        Ok(Place(self.back.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // There is room for it: it was taken from there.
        let _ = self.0.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::Places;
    use crate::shutdown::{Stopped, channel};

    #[test]
    fn a_place_is_free_again_when_it_is_dropped_even_by_a_panic() {
        let (_stopper, stop) = channel();
        let places = Places::new(1);
        let place = places.take(&stop);
        let panicked = thread::spawn(move || {
            let _place = place;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(places.take(&stop).is_ok());
    }

    #[test]
    fn nobody_waits_for_a_place_when_the_service_stops() {
        let (stopper, stop) = channel();
        let places = Places::new(1);
        let _place = places.take(&stop);
        let waiting = thread::spawn({
            let (places, stop) = (places.clone(), stop.clone());
            move || places.take(&stop).map(drop)
        });
        drop(stopper);
        assert_eq!(waiting.join().unwrap(), Err(Stopped));
    }
}
