//! One page for people: what is wrong, how full it is, which jobs are here and which were.
//!
//! It needs no script, is right in the dark and on a phone, and stays small however many jobs there are: what has no
//! room is counted. Every text on it may be foreign, and is written by [`text`] alone.

use std::fmt::Write;
use std::time::Duration;

use super::health::can_work;
use crate::clock::Timestamp;
use crate::counted::counted;
use crate::foreign::{Keep, one_line};
use crate::payload::FailureReason;
use crate::status::table::{age, short, unlimited};
use crate::status::{Ended, JobReport, Phase, Report, RunnerReport, ServiceState, View};

/// Of the whole page, in bytes.
const MOST: usize = 30_000;
/// Up to where its parts may go, one after the other.
const WRONG_UNTIL: usize = 5500;
const RUNNERS_UNTIL: usize = 9_500;
/// What the jobs leave to those that have ended, if they need it.
const JOBS_UNTIL: usize = 14_500;
const ENDED_UNTIL: usize = MOST - 100;

const HEAD: &str = "<!DOCTYPE html>
<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width,initial-scale=1\">
<meta http-equiv=refresh content=10><title>heptapod-paas-runner</title><style>
:root{color-scheme:light dark;--l:#d8dade;--f:#6a717b;--y:#237a3f;--n:#c92a2a}
@media(prefers-color-scheme:dark){:root{--l:#3a3f47;--f:#9aa2ad;--y:#69db7c;--n:#ff8787}}
body{font:15px/1.4 system-ui,sans-serif;max-width:68rem;margin:auto;padding:1rem}
h1{font-size:1.2rem}h2{font-size:1rem;margin:1.4rem 0 .3rem}p{margin:.3rem 0}
div.t{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:start;padding:.2rem .7rem .2rem 0;border-top:1px solid var(--l);white-space:nowrap}
th{font-weight:600}small,th{color:var(--f)}
.w{border-inline-start:4px solid var(--n);padding:.2rem .6rem;overflow-wrap:anywhere}
.y{color:var(--y)}.n{color:var(--n)}.s{white-space:nowrap}.r{overflow-wrap:anywhere}
.b{display:flex;height:.7rem;min-width:7rem;background:var(--l)}.b i{min-width:1px}
.p0{background:#868e96}.p1{background:#e0a100}.p2{background:#e8740c}.p3{background:#2f9e44}.p4{background:#1c7ed6}.p5{background:#9c36b5}
.k{display:inline-block;width:.7rem;height:.7rem;margin-inline:0 .3rem}meter{width:100%;height:1rem}
</style>
";

pub fn render(view: &View) -> String {
    let report = &view.report;
    let mut page = HEAD.to_owned();
    write_head(&mut page, report);
    let wrong = report.wrong.iter();
    let wrong = wrong.map(|wrong| format!("<p class=w>{}\n", text(wrong, 300)));
    fill(&mut page, wrong.collect(), WRONG_UNTIL, "<p class=w>");
    write_quota(&mut page, report);
    let runners = report.runners.iter();
    let runners = runners.map(|runner| runner_line(runner, report.at));
    fill(&mut page, runners.collect(), RUNNERS_UNTIL, "<p>");
    let ended: Vec<_> = view.ended.iter().map(ended_row).collect();
    let needed = 600 + ended.iter().map(String::len).sum::<usize>();
    let jobs: Vec<_> = report
        .jobs
        .iter()
        .map(|job| job_row(job, report.at))
        .collect();
    let heads = ["job", "phase", "", "age", "project", "user", "flavor"];
    let until = JOBS_UNTIL.max(ENDED_UNTIL.saturating_sub(needed));
    table(&mut page, "Jobs", &heads, jobs, until);
    let heads = [
        "job",
        "result",
        "project",
        "flavor",
        "waited",
        "provisioned",
        "booted",
        "ran",
        "deleted",
        "cost",
    ];
    table(&mut page, "Ended", &heads, ended, ENDED_UNTIL);
    page
}

/// Foreign text, on one line, cut, in its own direction, and nothing but text.
fn text(foreign: &str, most: usize) -> String {
    let mut text = "<bdi>".to_owned();
    for c in one_line(foreign, Keep::Start(most)).chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            _ => text.push(c),
        }
    }
    text + "</bdi>"
}

fn optional(foreign: Option<&str>, most: usize) -> String {
    foreign.map_or_else(|| "-".to_owned(), |foreign| text(foreign, most))
}

/// As many of these as there is room for, and how many more there are.
fn fill(page: &mut String, pieces: Vec<String>, until: usize, rest: &str) {
    let all = pieces.len();
    let mut shown = 0;
    for piece in pieces {
        if page.len() + piece.len() > until {
            break;
        }
        page.push_str(&piece);
        shown += 1;
    }
    if shown < all {
        let _ = writeln!(page, "{rest}and {} more", all - shown);
    }
}

fn table(page: &mut String, title: &str, heads: &[&str], rows: Vec<String>, until: usize) {
    if rows.is_empty() {
        return;
    }
    let _ = write!(page, "<h2>{title}</h2><div class=t><table><tr>");
    for head in heads {
        page.push_str("<th>");
        page.push_str(head);
    }
    page.push('\n');
    fill(page, rows, until, "<tr><td colspan=10>");
    page.push_str("</table></div>\n");
}

fn write_head(page: &mut String, report: &Report) {
    let (left, at) = (counted(report.jobs.len(), "job"), report.at.date());
    let state = match report.state {
        ServiceState::Running => "running".to_owned(),
        ServiceState::Draining => format!("draining: {left} left"),
        ServiceState::Stopping => "stopping".to_owned(),
        ServiceState::NotRunning => "not running".to_owned(),
    };
    let up = report
        .started
        .map_or_else(String::new, |at| age(Some(at), report.at));
    let version = text(&report.program, 20);
    let _ = writeln!(
        page,
        "<h1>heptapod-paas-runner: {state}</h1><p><small>up {up}, version {version}; {at}</small>"
    );
}

fn write_quota(page: &mut String, report: &Report) {
    page.push_str("<h2>Now</h2>\n<div class=b>");
    let counts = Phase::ALL.map(|phase| (phase, report.count(&[phase])));
    for (phase, count) in counts.iter().filter(|(_, count)| *count > 0) {
        let _ = write!(
            page,
            "<i class=p{} style=flex:{count}></i>",
            *phase as usize
        );
    }
    page.push_str("</div><p>");
    for (phase, count) in counts {
        let class = phase as usize;
        let _ = write!(
            page,
            "<span class=s><i class=\"k p{class}\"></i>{count} {phase} &nbsp;</span> "
        );
    }
    page.push('\n');
    if let Some(quota) = &report.quota {
        let limit = quota.weight_limit.unwrap_or_default();
        let _ = writeln!(
            page,
            "<p><meter min=0 max={limit:.2} high={:.2} value={:.2}></meter><p>weight {:.2} of {limit:.2}, jobs {} \
             of {}, launching {} of {}, held {}",
            limit * 0.9,
            quota.weight,
            quota.weight,
            quota.jobs,
            unlimited(quota.jobs_limit),
            quota.launching,
            unlimited(quota.launching_limit),
            quota.held
        );
    }
    for spent in &report.spent {
        let (cost, currency) = (spent.cost, text(&spent.currency, 3));
        let _ = writeln!(
            page,
            "<p>cost of {}: {cost:.2} {currency}",
            text(&spent.month, 7)
        );
    }
    if !report.orphans.is_empty() {
        let orphans = counted(report.orphans.len(), "machine");
        let _ = writeln!(
            page,
            "<p>{orphans} without a job: <code>--orphans</code> tells more"
        );
    }
    if !report.runners.is_empty() {
        page.push_str("<h2>Runners</h2>\n");
    }
}

fn runner_line(runner: &RunnerReport, now: Timestamp) -> String {
    let class = if can_work(runner.does) { 'y' } else { 'n' };
    format!(
        "<p class=r><b>{}</b> <small>{}: {}, weight {:.2} of {:.2}; since {}</small><br><span class={class}>{}</span>\n",
        text(&runner.name, 40),
        text(&runner.coordinator, 80),
        counted(runner.jobs, "job"),
        runner.weight,
        runner.weight_limit,
        age(Some(runner.since), now),
        text(&runner.reason, 300)
    )
}

fn job_row(job: &JobReport, now: Timestamp) -> String {
    let class = if job.trouble.is_some() {
        " class=n"
    } else {
        ""
    };
    format!(
        "<tr><td>{}<td{class}>{} {}<td>{}<td>{}<td>{}<td>{}<td>{}\n",
        job.id,
        job.phase,
        age(job.since, now),
        bar(job, now),
        age(job.granted, now),
        optional(job.project.as_deref(), 40),
        optional(job.user.as_deref(), 20),
        optional(job.flavor.as_deref(), 8)
    )
}

/// From its grant until now: until it had a place, what came then, and the phase that it is in.
fn bar(job: &JobReport, now: Timestamp) -> String {
    let Some(granted) = job.granted else {
        return String::new();
    };
    let since = job.since.unwrap_or(now);
    let created = job.machine_created.filter(|created| *created < since);
    let parts = [
        (Phase::Launching, created.unwrap_or(since).since(granted)),
        (
            Phase::Booting,
            created.map_or(Duration::ZERO, |created| since.since(created)),
        ),
        (job.phase, now.since(since)),
    ];
    let mut bar = "<div class=b>".to_owned();
    for (phase, time) in parts.iter().filter(|(_, time)| !time.is_zero()) {
        let seconds = time.as_secs();
        let _ = write!(
            bar,
            "<i class=p{} style=flex:{seconds}></i>",
            *phase as usize
        );
    }
    bar + "</div>"
}

fn ended_row(ended: &Ended) -> String {
    let entry = &ended.entry;
    let result = ended.result();
    let class = if result == "success" { 'y' } else { 'n' };
    let mut row = format!(
        "<tr><td>{}<td class={class}>{}<td>{}<td>{}",
        entry.job,
        ended.reason.map_or(result, FailureReason::name),
        optional(entry.project.as_deref(), 40),
        optional(entry.flavor.as_deref(), 8)
    );
    for time in ended.times.all() {
        row.push_str("<td>");
        row.push_str(&time.map_or_else(|| "-".to_owned(), short));
    }
    row.push_str("<td>");
    row.push_str(&optional(entry.price().as_deref(), 20));
    row.push('\n');
    row
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MOST, render};
    use crate::clock::Timestamp;
    use crate::job::Times;
    use crate::money::{Entry, SHAPE};
    use crate::status::{Ended, Report, View};

    const ARABIC: &str = "\u{645}\u{634}\u{631}\u{648}\u{639}";

    fn report(jobs: usize, name: &str) -> Report {
        let now = Timestamp::now().seconds();
        let job = |id: usize| {
            format!(
                r#"{{"id": {id}, "runner": "ci", "project": {name:?}, "user": {name:?}, "flavor": "XL",
                "phase": "running", "since": {}, "granted": {}, "machine": "m", "machine_created": {},
                "machine_may_exist": true, "weight": 1.0, "result": null, "has_untold_failure": false,
                "trouble": null}}"#,
                now - 3000,
                now - 4000,
                now - 3500
            )
        };
        let jobs: Vec<_> = (0..jobs).map(job).collect();
        let wrong = vec![format!("{name:?}"); 200];
        let text = format!(
            r#"{{"version": 1, "source": "service", "program": "2", "at": {now}, "started": {now},
            "configured": {now}, "state": "running", "quota": null, "jobs": [{}], "runners": [], "orphans": [],
            "ends": [], "wrong": [{}]}}"#,
            jobs.join(","),
            wrong.join(",")
        );
        serde_json::from_str(&text).unwrap()
    }

    fn ended(name: &str) -> Ended {
        let (now, time) = (Timestamp::now(), Some(Duration::from_secs(454)));
        Ended {
            entry: Entry {
                version: SHAPE,
                job: 123_456_789,
                runner: "ci".to_owned(),
                project: Some(name.to_owned()),
                group: None,
                user: None,
                flavor: Some("XL".to_owned()),
                begun: Some(now),
                ended: now,
                seconds: 60,
                hourly: Some(0.5),
                cost: Some(0.0083),
                currency: Some("EUR".to_owned()),
                result: Some("success".to_owned()),
            },
            times: Times {
                waited: time,
                provisioned: time,
                booted: time,
                ran: time,
                deleted: time,
            },
            reason: None,
        }
    }

    #[test]
    fn the_page_stays_small_with_500_jobs_and_hostile_names_and_says_what_it_leaves_out() {
        let long = format!("{ARABIC}/{}", "a-long-name-".repeat(20));
        let hostile = "<b>&'\\".repeat(60).replace('\\', "/");
        for (name, least_ended) in [("acme/website", 100), (&long, 60), (&hostile, 30)] {
            let mut report = report(500, name);
            if name == "acme/website" {
                report.wrong.truncate(2);
            }
            let view = View {
                report,
                ended: vec![ended(name); 100],
                unwritten: None,
            };
            let page = render(&view);
            assert!(page.len() <= MOST, "{name}: {}", page.len());
            let (jobs, over) = page.split_once("<h2>Ended").unwrap();
            let rows = over.matches("<tr><td>123456789").count();
            assert!(rows >= least_ended, "{name}: {rows} that have ended");
            let shown = jobs.matches("<td>running").count();
            let rest = format!("and {} more", 500 - shown);
            assert!(shown > 5 && jobs.contains(&rest), "{name}: {shown} jobs");
            assert!(!page.contains("<b>&"), "{page}");
        }
    }
}
