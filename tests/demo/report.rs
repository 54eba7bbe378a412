//! The end of the demo: a table, the numbers, and what did not end as it must.

use std::time::{Duration, Instant};

use sandbox::JobStatus;
use sandbox::coordinator::JobView;

use crate::course::Ride;
use crate::numbers::Numbers;
use crate::show::{self, Colour, Show};
use crate::table::{self, Row};
use crate::world::{World, name_end};

const HEADINGS: [&str; 7] = [
    "job", "flavor", "waited", "booted", "ran", "billed", "result",
];
/// Columns of numbers, which stand to the right.
const NUMBERS: [usize; 4] = [2, 3, 4, 5];

/// Jobs that belong together; those with a name share one line, with their medians.
pub struct Group {
    pub name: Option<&'static str>,
    pub rides: Vec<Ride>,
}

pub fn show_table(show: &Show, world: &World, groups: &[Group]) {
    let mut rows = Vec::new();
    for group in groups {
        match group.name {
            Some(name) => rows.push(row_of_group(world, name, &group.rides)),
            None => rows.extend(group.rides.iter().map(|ride| row_of_job(world, ride))),
        }
    }
    table::print(show, HEADINGS, &NUMBERS, &rows);
}

pub fn show_what_is_left(world: &World) {
    show::print("");
    let applications = world.clever.applications().len();
    let machines = world.clever.running_machines();
    show::print(&format!(
        "Applications left: {applications}. Machines running: {machines}."
    ));
}

fn row_of_job(world: &World, ride: &Ride) -> Row<7> {
    let (colour, result) = result(world, ride);
    let cells = [
        ride.plan.name().to_owned(),
        ride.flavor().to_owned(),
        seconds(waited(ride)),
        seconds(booted(ride)),
        seconds(ran(ride)),
        billed(world, ride.job),
        result,
    ];
    Row { cells, colour }
}

/// How a job ended.
pub fn result(world: &World, ride: &Ride) -> (Colour, String) {
    let job = ride.job.map(|job| world.coordinator.job(job));
    match (&job, &ride.skipped) {
        (Some(job), _) => match ride.verdict(job) {
            Ok(words) if job.status == JobStatus::Success => (Colour::Green, words),
            Ok(words) => (Colour::Yellow, words),
            Err(why) => (Colour::Red, why),
        },
        (None, why) => (Colour::Yellow, why.clone().unwrap_or_default()),
    }
}

fn row_of_group(world: &World, name: &str, rides: &[Ride]) -> Row<7> {
    let median = |time: fn(&Ride) -> Option<Duration>| {
        let mut times: Vec<_> = rides.iter().filter_map(time).collect();
        times.sort();
        seconds(times.get(times.len() / 2).copied())
    };
    let jobs = rides.iter().filter_map(|ride| ride.job);
    let good = rides.iter().filter(|ride| {
        let job = ride.job.map(|job| world.coordinator.job(job));
        job.is_some_and(|job| ride.verdict(&job).is_ok())
    });
    let (good, all) = (good.count(), rides.len());
    let billed: u64 = jobs.map(|job| billed_seconds(world, job)).sum();
    let cells = [
        format!("{name} × {all}"),
        rides.first().map_or("", Ride::flavor).to_owned(),
        median(waited),
        median(booted),
        median(ran),
        format!("{billed} s"),
        format!("{good} passed (times are medians)"),
    ];
    let colour = if good == all {
        Colour::Green
    } else {
        Colour::Red
    };
    Row { cells, colour }
}

/// In the queue.
fn waited(ride: &Ride) -> Option<Duration> {
    between(ride.moments.queued, ride.moments.granted)
}

/// From its grant until its machine runs it.
fn booted(ride: &Ride) -> Option<Duration> {
    between(ride.moments.granted, ride.moments.running)
}

fn ran(ride: &Ride) -> Option<Duration> {
    between(ride.moments.running, ride.moments.finished)
}

fn between(from: Option<Instant>, to: Option<Instant>) -> Option<Duration> {
    Some(to?.duration_since(from?))
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("–".to_owned(), |time| {
        format!("{:.1} s", time.as_secs_f64())
    })
}

fn billed(world: &World, job: Option<u64>) -> String {
    match job.map_or(0, |job| billed_seconds(world, job)) {
        0 => "–".to_owned(),
        seconds => format!("{seconds} s"),
    }
}

fn billed_seconds(world: &World, job: u64) -> u64 {
    let end = name_end(job);
    let bill = world.clever.bill();
    let lines = bill.iter().filter(|line| line.application.ends_with(&end));
    lines.map(|line| line.billed_seconds).sum()
}

pub fn show_numbers(show: &Show, numbers: &Numbers) {
    let unknown = || "unknown".to_owned();
    let kibibytes = |size: Option<f64>| size.map_or_else(unknown, |size| format!("{size:.0} KiB"));
    let mebibytes = |size: u64| format!("{:.1} MiB", size as f64 / 1024.0);
    let launch = numbers.launch;
    let launch = launch.map_or_else(unknown, |time| format!("{} ms", time.as_millis()));
    let idle = numbers.idle;
    let own = idle.map_or_else(unknown, |idle| mebibytes(idle.own));
    let idle = idle.map_or_else(unknown, |idle| mebibytes(idle.resident));
    let git = format!("{:.1}", numbers.git_per_launch());
    let running = kibibytes(numbers.per_job(numbers.load.running));
    let launching = kibibytes(numbers.per_job(numbers.load.launching));
    show::print("");
    show::print(&show.paint(Colour::Bold, &format!("Numbers, of {}", kind_of_build())));
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
        ("git processes for each launch", git, "aim: 3"),
    ] {
        let remark = show.paint(Colour::Dim, remark);
        let line = format!("  {what:38}{value:>10}   {remark}");
        show::print(line.trim_end());
    }
}

/// The program is built as the demo is.
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

/// What did not end as it must, in words.
pub fn problems(world: &World, groups: &[Group]) -> Vec<String> {
    let mut problems = Vec::new();
    let rides = groups.iter().flat_map(|group| &group.rides);
    for ride in rides {
        let name = ride.plan.name();
        match ride.job.map(|job| world.coordinator.job(job)) {
            Some(job) => problems_of(world, ride, &job, |what| {
                problems.push(format!("{name}: {what}"));
            }),
            None => problems.push(format!(
                "{name}: {}",
                ride.skipped.as_deref().unwrap_or("never handed in")
            )),
        }
    }
    let left = world.clever.applications();
    problems.extend(
        left.iter()
            .map(|it| format!("application {} is left", it.name)),
    );
    let complaints = world.journal.complaints();
    problems.extend(complaints.iter().map(|it| format!("complaint of {it}")));
    problems
}

fn problems_of(world: &World, ride: &Ride, job: &JobView, mut say: impl FnMut(String)) {
    if let Err(why) = ride.verdict(job) {
        say(why);
    }
    let verdicts = job.verdicts().len();
    if verdicts != 1 {
        say(format!("it has {verdicts} verdicts instead of one"));
    }
    let own = world.applications_of(job.id).len();
    if own > 1 {
        say(format!("it had {own} applications instead of one"));
    }
}
