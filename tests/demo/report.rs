//! The end of a pipeline: a table, and what did not end as it must.

use rig::{Colour, Rig, Show, Step, World, show, table};
use sandbox::coordinator::JobId;

use crate::run::{History, Job};

const HEADINGS: [&str; 7] = [
    "job", "flavor", "waited", "booted", "ran", "billed", "result",
];
/// Columns of numbers, which stand to the right.
const NUMBERS: [usize; 4] = [2, 3, 4, 5];

/// What the numbers are.
const LEGEND: &str = "
waited: until the runner had the job. booted: until its machine began with it; a real one takes ten
to twenty times longer. ran: until its result. billed: from the machine's first second to its last,
the boot included, in steps of 10 s.";

pub fn show_table(show: &Show, world: &World, history: &History) {
    let rows: Vec<_> = (history.jobs.iter())
        .map(|job| row(world, history, job))
        .collect();
    table::print(show, HEADINGS, &NUMBERS, &rows);
    show::print(LEGEND);
}

fn row(world: &World, history: &History, job: &Job) -> table::Row<7> {
    let between = |from, to| {
        let time = job.id.and_then(|id| history.times.between(id, from, to));
        time.map_or("–".to_owned(), |it| format!("{:.1} s", it.as_secs_f64()))
    };
    let (colour, result) = result(world, job);
    let cells = [
        job.plan.name().to_owned(),
        job.flavor().to_owned(),
        between(Step::Queued, Step::Granted),
        between(Step::Granted, Step::Running),
        between(Step::Running, Step::Finished),
        job.id.map_or("–".to_owned(), |id| billed(world, id)),
        result,
    ];
    table::Row { cells, colour }
}

/// How a job ended.
pub fn result(world: &World, job: &Job) -> (Colour, String) {
    if let Some(id) = job.id {
        return job.result(&world.coordinator.job(id));
    }
    let why = job.skipped.as_ref().map_or("", |it| it.why.as_str());
    // The rest was told when it happened.
    let short = why.split(", since").next().unwrap_or_default();
    (Colour::Yellow, short.to_owned())
}

fn billed(world: &World, job: JobId) -> String {
    let end = format!("-{job}");
    let bill = world.clever.bill();
    let lines = bill.iter().filter(|line| line.application.ends_with(&end));
    match lines.map(|line| line.billed_seconds).sum::<u64>() {
        0 => "–".to_owned(),
        seconds => format!("{seconds} s"),
    }
}

pub fn show_what_is_left(world: &World) {
    let applications = world.clever.applications().len();
    let machines = world.clever.running_machines();
    show::print(&format!(
        "\nApplications left: {applications}. Machines running: {machines}."
    ));
}

/// What of the jobs did not end as it must, in words.
pub fn problems(rig: &Rig, history: &History) -> Vec<String> {
    let mut problems = Vec::new();
    for job in &history.jobs {
        let name = job.plan.name();
        let Some(view) = job.id.map(|id| rig.world.coordinator.job(id)) else {
            // What was skipped for a failure comes after that failure's own line.
            if job.skipped.is_none() {
                problems.push(format!("{name}: never handed in"));
            }
            continue;
        };
        if let Err(why) = job.plan.ending.check(&view) {
            problems.push(format!("{name}: {why}"));
        }
        problems.extend(rig.problems_of(&view));
    }
    problems
}
