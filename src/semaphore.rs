//! Bounds how much of something goes on at once: exchanges with one service, pushes.
//!
//! A thread takes a permit for somebody, and waits for one when that somebody, or all together, have as many as
//! they may. One who has none always gets one: whoever holds all permits and makes no progress keeps nobody
//! else from theirs. What the permits are for is not known here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::thread::lock;

/// Cheap to clone; clones share the permits.
#[derive(Clone, Debug)]
pub struct Semaphore(Arc<Mutex<Permits>>);

#[derive(Debug)]
struct Permits {
    most: usize,
    most_for_one: usize,
    held: BTreeMap<String, usize>,
    waiting: VecDeque<Waiting>,
    next_number: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    whose: String,
    granted: Sender<()>,
}

/// One of a semaphore's, until this is dropped.
#[derive(Debug)]
pub struct Permit {
    semaphore: Semaphore,
    whose: String,
    /// Among those that wait, as long as it is not granted.
    number: u64,
}

impl Semaphore {
    /// So many permits in all, and for one at most; beside those the first one of everybody.
    #[must_use]
    pub fn new(most: usize, most_for_one: usize) -> Self {
        Self(Arc::new(Mutex::new(Permits {
            most,
            most_for_one,
            held: BTreeMap::new(),
            waiting: VecDeque::new(),
            next_number: 0,
        })))
    }

    /// A permit for `whose`. If there is none now, `wait` waits until something arrives.
    ///
    /// # Errors
    /// Those of `wait`, which gives up the place in the queue.
    pub fn acquire<E>(
        &self,
        whose: &str,
        wait: impl FnOnce(&Receiver<()>) -> Result<(), E>,
    ) -> Result<Permit, E> {
        let (granted, arrival) = bounded(1);
        let permit = {
            let mut permits = lock(&self.0);
            permits.next_number += 1;
            let number = permits.next_number;
            permits.waiting.push_back(Waiting {
                number,
                whose: whose.to_owned(),
                granted,
            });
            permits.grant();
            Permit {
                semaphore: self.clone(),
                whose: whose.to_owned(),
                number,
            }
        };
        if arrival.try_recv().is_err() {
            wait(&arrival)?;
        }
        Ok(permit)
    }
}

impl Permits {
    /// In the order of arrival, as far as there are permits for them.
    fn grant(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|one| {
            let all: usize = self.held.values().sum();
            let own = self.held.get(&one.whose).copied().unwrap_or_default();
            let may = own == 0 || (own < self.most_for_one && all < self.most);
            if may {
                self.held.insert(one.whose.clone(), own + 1);
                let _ = one.granted.try_send(());
            }
            !may
        });
        self.waiting = waiting;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut permits = lock(&self.semaphore.0);
        let place = permits
            .waiting
            .iter()
            .position(|one| one.number == self.number);
        if let Some(place) = place {
            permits.waiting.remove(place);
            return;
        }
        let held = permits.held.get_mut(&self.whose);
        let left = held.map_or(0, |held| {
            *held = held.saturating_sub(1);
            *held
        });
        if left == 0 {
            permits.held.remove(&self.whose);
        }
        permits.grant();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::{Permit, Semaphore};
    use crate::shutdown::{Stopped, channel};
    use crate::thread::lock;

    /// None, where it would have to wait.
    fn taken(semaphore: &Semaphore, whose: &str) -> Option<Permit> {
        semaphore.acquire(whose, |_| Err(())).ok()
    }

    #[test]
    fn a_permit_is_free_again_when_it_is_dropped_even_by_a_panic() {
        let semaphore = Semaphore::new(1, 1);
        let permit = taken(&semaphore, "a");
        assert!(permit.is_some() && taken(&semaphore, "a").is_none());
        let panicked = thread::spawn(move || {
            let _permit = permit;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(taken(&semaphore, "a").is_some());
    }

    #[test]
    fn no_thread_waits_for_a_permit_when_the_service_stops_and_its_place_is_free() {
        let (stopper, stop) = channel();
        let semaphore = Semaphore::new(1, 1);
        let permit = taken(&semaphore, "a");
        let waiting = thread::spawn({
            let (semaphore, stop) = (semaphore.clone(), stop.clone());
            move || {
                semaphore
                    .acquire("a", |granted| stop.wait_for(granted))
                    .map(drop)
            }
        });
        drop(stopper);
        assert_eq!(waiting.join().unwrap(), Err(Stopped));
        drop(permit);
        assert!(taken(&semaphore, "a").is_some());
    }

    #[test]
    fn one_who_holds_all_keeps_nobody_from_the_first() {
        let semaphore = Semaphore::new(3, 2);
        let _hog = [(); 2].map(|()| taken(&semaphore, "hog").unwrap());
        assert!(taken(&semaphore, "hog").is_none(), "its own bound");
        let _other = taken(&semaphore, "other").unwrap();
        assert!(taken(&semaphore, "other").is_none(), "the bound of all");
        let _third = taken(&semaphore, "third").unwrap();
    }

    proptest! {
        #[test]
        fn nobody_waits_for_a_permit_that_is_free(
            steps in prop::collection::vec((any::<bool>(), 0_usize..3, 0_usize..9), 0..60),
        ) {
            let semaphore = Semaphore::new(4, 2);
            let mut here: Vec<Permit> = Vec::new();
            for (takes, whose, which) in steps {
                if takes {
                    // As a thread that would go on waiting: it keeps its place.
                    let place = semaphore.acquire(["a", "b", "c"][whose], |_| Ok::<_, ()>(()));
                    here.extend(place.ok());
                } else if !here.is_empty() {
                    drop(here.swap_remove(which % here.len()));
                }
                let permits = lock(&semaphore.0);
                let all: usize = permits.held.values().sum();
                prop_assert_eq!(all + permits.waiting.len(), here.len());
                for one in &permits.waiting {
                    let own = permits.held[&one.whose];
                    prop_assert!(own >= 2 || all >= 4);
                }
                prop_assert!(permits.held.values().all(|own| (1..=2).contains(own)));
            }
        }
    }
}
