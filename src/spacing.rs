//! Spaces launches: many machines asked for at the same moment overload a provisioning system.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::thread::lock;

/// Lets launches begin at least `spacing` apart, in the order in which they queue up.
pub struct LaunchSpacing {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    spacing: Duration,
    last: Option<Instant>,
    waiting: VecDeque<(u64, Sender<()>)>,
    next_number: u64,
}

/// A place in the queue. Dropped, it is left to those behind it.
pub struct Place<'a> {
    spacing: &'a LaunchSpacing,
    number: u64,
    moved: Receiver<()>,
}

impl LaunchSpacing {
    #[must_use]
    pub fn new(spacing: Duration) -> Self {
        let queue = Queue {
            spacing,
            ..Queue::default()
        };
        Self {
            queue: Mutex::new(queue),
        }
    }

    /// From now on, for those who wait, too.
    pub fn set(&self, spacing: Duration) {
        let mut queue = lock(&self.queue);
        queue.spacing = spacing;
        queue.wake_all();
    }

    #[must_use]
    pub fn queue_up(&self) -> Place<'_> {
        let mut queue = lock(&self.queue);
        queue.next_number += 1;
        let number = queue.next_number;
        let (wake, moved) = bounded(1);
        queue.waiting.push_back((number, wake));
        Place {
            spacing: self,
            number,
            moved,
        }
    }
}

impl Place<'_> {
    /// How long it is until the launch may begin, as it looks at `now`; none, when it begins now.
    #[must_use]
    pub fn rest(&self, now: Instant) -> Option<Duration> {
        let mut queue = lock(&self.spacing.queue);
        let place = queue.waiting.iter().position(|one| one.0 == self.number)?;
        let spacing = queue.spacing;
        let first = queue.last.map_or(now, |last| (last + spacing).max(now));
        let ahead = u32::try_from(place).unwrap_or(u32::MAX);
        let rest = first.saturating_duration_since(now) + spacing.saturating_mul(ahead);
        if place > 0 || !rest.is_zero() {
            // None at all are apart by nothing, whoever is first.
            return (!spacing.is_zero()).then_some(rest);
        }
        queue.last = Some(now);
        queue.leave(self.number);
        None
    }

    /// Something arrives here when the time may have become shorter.
    #[must_use]
    pub const fn moved(&self) -> &Receiver<()> {
        &self.moved
    }
}

impl Queue {
    fn leave(&mut self, number: u64) {
        let before = self.waiting.len();
        self.waiting.retain(|one| one.0 != number);
        if self.waiting.len() < before {
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        for (_, wake) in &self.waiting {
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.spacing.queue).leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::LaunchSpacing;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn launches_are_apart_in_the_order_in_which_they_queue_up() {
        let spacing = LaunchSpacing::new(seconds(5));
        let now = Instant::now();
        let [first, second, third] = [(); 3].map(|()| spacing.queue_up());
        assert_eq!(second.rest(now), Some(seconds(5)));
        assert_eq!(first.rest(now), None);
        assert!(second.moved().try_recv().is_ok());
        assert_eq!(second.rest(now + seconds(1)), Some(seconds(4)));
        assert_eq!(third.rest(now + seconds(1)), Some(seconds(9)));
        assert_eq!(second.rest(now + seconds(6)), None);
        assert_eq!(third.rest(now + seconds(6)), Some(seconds(5)));
        assert_eq!(third.rest(now + seconds(60)), None);
    }

    #[test]
    fn a_place_that_is_given_up_is_nobodys_delay() {
        let spacing = LaunchSpacing::new(seconds(5));
        let now = Instant::now();
        let [first, canceled, last] = [(); 3].map(|()| spacing.queue_up());
        assert_eq!(first.rest(now), None);
        assert_eq!(last.rest(now), Some(seconds(10)));
        let _ = last.moved().try_recv();
        drop(canceled);
        assert!(last.moved().try_recv().is_ok(), "woken");
        assert_eq!(last.rest(now), Some(seconds(5)));
    }

    #[test]
    fn without_spacing_nobody_waits() {
        let spacing = LaunchSpacing::new(Duration::ZERO);
        let now = Instant::now();
        let [first, second] = [(); 2].map(|()| spacing.queue_up());
        assert_eq!(second.rest(now), None);
        assert_eq!(first.rest(now), None);
    }
}
