//! The best that can be done with a quota when jobs are taken in their order, and how near to it something
//! comes that was done.
//!
//! What the best schedule assumes: all jobs wait from the beginning. Whoever plans knows what each weighs
//! (not how long it takes), loses no time, and hears of every end at once. Each runner takes its own jobs
//! strictly in the order of their arrival, for its coordinator gives them out so: one that doesn't fit keeps
//! those behind it waiting. Among the runners, whoever's next job has waited longest comes first, and the
//! others' go past it if they fit: nothing that fits ever waits. A job weighs from the moment in which its
//! machine is ordered until the machine is gone, with all that the world imposes between (creation,
//! repository, boot, build, deletion).
//!
//! It may not know where jobs and times come from.

use std::collections::BTreeSet;
use std::time::Duration;

/// Any unit, as long as it is the same everywhere. Whole numbers: eight machines fit into the quota of eight.
pub type Weight = u64;

pub struct Job {
    pub weight: Weight,
    /// Its place among the [shares](Room::shares).
    pub runner: usize,
    /// For how long it weighs.
    pub takes: Duration,
}

pub struct Room {
    pub quota: Weight,
    /// What each runner may use of it at most.
    pub shares: Vec<Weight>,
}

/// When a job weighed, counted from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    pub from: Duration,
    pub until: Duration,
}

/// Jobs, in the order of their arrival, each with its stay.
pub struct Schedule<'a> {
    pub jobs: &'a [Job],
    pub room: &'a Room,
    pub stays: Vec<Stay>,
}

/// None, where a job never fits.
pub fn best<'a>(jobs: &'a [Job], room: &'a Room) -> Option<Schedule<'a>> {
    let mut stays: Vec<Option<Stay>> = jobs.iter().map(|_| None).collect();
    let mut now = Duration::ZERO;
    loop {
        while let Some(next) = next_that_fits(jobs, room, &stays, now) {
            let until = now + jobs[next].takes;
            stays[next] = Some(Stay { from: now, until });
        }
        if stays.iter().all(Option::is_some) {
            let stays = stays.into_iter().flatten().collect();
            return Some(Schedule { jobs, room, stays });
        }
        let ends = stays.iter().flatten().map(|stay| stay.until);
        now = ends.filter(|end| *end > now).min()?;
    }
}

/// Of each runner only the job that waits longest can be next. `stays` has what has begun.
fn next_that_fits(
    jobs: &[Job],
    room: &Room,
    stays: &[Option<Stay>],
    now: Duration,
) -> Option<usize> {
    let mut seen = BTreeSet::new();
    let waiting = (0..jobs.len()).filter(|job| stays[*job].is_none());
    let mut heads = waiting.filter(|job| seen.insert(jobs[*job].runner));
    heads.find(|head| {
        let in_use = |is_meant: &dyn Fn(&Job) -> bool| -> Weight {
            let stays = stays.iter().zip(jobs);
            let weighs = stays.filter(|(stay, job)| {
                is_meant(job) && stay.is_some_and(|stay| stay.from <= now && now < stay.until)
            });
            weighs.map(|(_, job)| job.weight).sum()
        };
        let Job { weight, runner, .. } = jobs[*head];
        let of_runner = in_use(&|job| job.runner == runner);
        in_use(&|_| true) + weight <= room.quota && of_runner + weight <= room.shares[runner]
    })
}

impl Schedule<'_> {
    /// Until nothing weighs any more.
    pub fn end(&self) -> Duration {
        let ends = self.stays.iter().map(|stay| stay.until);
        ends.max().unwrap_or_default()
    }

    /// Which part of the quota was in use while jobs waited, over that time; none, where nothing waited.
    pub fn share_in_use(&self) -> Option<f64> {
        let last_begin = self.stays.iter().map(|stay| stay.from).max()?;
        let used = self.stays.iter().zip(self.jobs).map(|(stay, job)| {
            let time = stay.until.min(last_begin).saturating_sub(stay.from);
            job.weight as f64 * time.as_secs_f64()
        });
        let all = self.room.quota as f64 * last_begin.as_secs_f64();
        (all > 0.0).then(|| used.sum::<f64>() / all)
    }

    /// The longest time in which nothing began although a job that was next would have fitted.
    pub fn longest_idleness(&self) -> Duration {
        let begins = self.stays.iter().map(|stay| stay.from);
        let ends = self.stays.iter().map(|stay| stay.until);
        let moments: BTreeSet<_> = begins.chain(ends).chain([Duration::ZERO]).collect();
        let moments: Vec<_> = moments.into_iter().collect();
        let mut idle_since = None;
        let mut longest = Duration::ZERO;
        for pair in moments.windows(2) {
            let (now, next) = (pair[0], pair[1]);
            if self.stays.iter().any(|stay| stay.from == now) {
                idle_since = None;
            }
            let begun = self.stays.iter();
            let begun: Vec<_> = begun
                .map(|stay| (stay.from <= now).then_some(*stay))
                .collect();
            if next_that_fits(self.jobs, self.room, &begun, now).is_none() {
                idle_since = None;
            } else {
                let since = *idle_since.get_or_insert(now);
                longest = longest.max(next.saturating_sub(since));
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(weight: Weight, runner: usize, takes: u64) -> Job {
        let takes = Duration::from_secs(takes);
        Job {
            weight,
            runner,
            takes,
        }
    }

    fn stay(from: u64, until: u64) -> Stay {
        Stay {
            from: Duration::from_secs(from),
            until: Duration::from_secs(until),
        }
    }

    fn room(shares: &[Weight]) -> Room {
        Room {
            quota: 10,
            shares: shares.to_vec(),
        }
    }

    #[test]
    fn a_job_that_does_not_fit_keeps_those_behind_it_waiting() {
        let (jobs, room) = ([job(6, 0, 4), job(6, 0, 1), job(2, 0, 1)], room(&[10]));
        let best = best(&jobs, &room).unwrap();
        assert_eq!(best.stays, [stay(0, 4), stay(4, 5), stay(4, 5)]);
        assert_eq!(best.end(), Duration::from_secs(5));
        assert_eq!(best.share_in_use(), Some(0.6));
    }

    #[test]
    fn jobs_of_other_runners_go_past_it() {
        let (jobs, room) = ([job(6, 0, 4), job(6, 0, 1), job(2, 1, 1)], room(&[10, 10]));
        let best = best(&jobs, &room).unwrap();
        assert_eq!(best.stays, [stay(0, 4), stay(4, 5), stay(0, 1)]);
    }

    #[test]
    fn no_runner_has_more_than_its_share() {
        let jobs = [job(4, 0, 2), job(4, 0, 2), job(4, 1, 2)];
        let room = room(&[6, 10]);
        let best = best(&jobs, &room).unwrap();
        assert_eq!(best.stays, [stay(0, 2), stay(2, 4), stay(0, 2)]);
    }

    #[test]
    fn what_never_fits_has_no_schedule() {
        for (heavy, shares) in [(11, [11]), (8, [7])] {
            let (jobs, room) = ([job(1, 0, 1), job(heavy, 0, 1)], room(&shares));
            assert!(best(&jobs, &room).is_none(), "{heavy} of {shares:?}");
        }
    }

    #[test]
    fn the_best_schedule_is_never_idle_and_a_late_one_is() {
        let (jobs, room) = ([job(6, 0, 4), job(6, 0, 2), job(4, 0, 3)], room(&[10]));
        let mut schedule = best(&jobs, &room).unwrap();
        assert_eq!(schedule.longest_idleness(), Duration::ZERO);
        // The last one a second after the one before, and both two seconds after there was room.
        schedule.stays[1] = stay(6, 8);
        schedule.stays[2] = stay(7, 10);
        assert_eq!(schedule.longest_idleness(), Duration::from_secs(2));
    }
}
