//! How the service stands: what it tells its manager and whoever asks, and whether it drains.

use std::time::Duration;

use super::Dispatcher;
use crate::config::Listen;
use crate::control::Wish;
use crate::control::server::Asked;
use crate::counted::counted;
use crate::status::{Report, Service, ServiceState, SpentReport, View};
use crate::web::Server;

impl Dispatcher<'_> {
    pub(super) fn report(&self) -> Report {
        Service {
            started: self.started,
            configured: self.configured,
            state: self.state(),
            tracked: self.served.values().map(|served| &served.tracked),
            abandoned: &self.of_unknown_runners,
            runners: &self.roster.now(),
            quota: self.quota.snapshot(),
            orphans: self.orphans.values().flatten().cloned().collect(),
            spent: self.spent(),
            unaccounted: self.ledger.trouble(),
            unwritten: self.unwritten.as_deref(),
            knows_quota: self.is_weighed,
            unweighed: self.unweighed.as_deref(),
        }
        .report()
    }

    fn spent(&self) -> Vec<SpentReport> {
        let (month, sums) = self.spending.so_far();
        let sums = sums.into_iter().map(|(currency, cost)| SpentReport {
            month: month.clone(),
            cost,
            currency,
        });
        sums.collect()
    }

    /// Does what is asked for, and says what is to be said.
    pub(super) fn answer(&mut self, asked: Asked) {
        match asked {
            Asked::Wish(wish, answer) => drop(answer.send(self.fulfil(wish))),
            Asked::View(answer) => drop(answer.send(Box::new(self.view()))),
        }
    }

    fn view(&self) -> View {
        View {
            report: self.report(),
            ended: self.ended.iter().cloned().collect(),
            unwritten: self.unwritten.clone(),
        }
    }

    /// Serves metrics and the page where the configuration says so. What can't be served is told, and is no reason to
    /// take no jobs.
    pub(super) fn show(&mut self, settings: Option<&Listen>) {
        let is_same = |server: &Server| settings.is_some_and(|settings| server.is_as(settings));
        if self.web.as_ref().is_some_and(is_same) {
            return;
        }
        // The same port may be needed again.
        self.web = None;
        let server =
            settings.map(|settings| Server::listen(settings, self.ask.clone(), self.file.path()));
        self.web = server.and_then(|server| {
            let server =
                server.inspect_err(|why| log::warn!("{why}; no metrics are served, and no page"));
            server.ok()
        });
    }

    fn fulfil(&mut self, wish: Wish) -> String {
        match wish {
            Wish::Status => self.report().json(),
            Wish::Drain => {
                self.drain();
                self.report().json()
            }
            Wish::Reload => serde_json::json!(self.reload()).to_string(),
        }
    }

    fn state(&self) -> ServiceState {
        match (&self.workers, self.is_draining) {
            (None, _) => ServiceState::Stopping,
            (Some(_), true) => ServiceState::Draining,
            (Some(_), false) => ServiceState::Running,
        }
    }

    /// No new jobs from now on.
    pub(super) fn drain(&mut self) {
        if self.workers.is_none() || self.is_draining {
            return;
        }
        self.is_draining = true;
        self.has_news = true;
        self.pollers.end_shift();
        let left = counted(self.served.len(), "job");
        log::info!("draining: taking no new jobs; {left} left, then the service ends");
    }

    /// Whether nothing is left that a draining service waits for.
    pub(super) fn is_drained(&self) -> bool {
        self.is_draining && self.served.is_empty() && !self.pollers.are_at_work()
    }

    /// What `systemctl status` shows.
    pub(super) fn tell_manager(&mut self) {
        if self.manager.listens_in(self.has_news) == Some(Duration::ZERO) {
            let words = self.report().headline();
            self.manager.describe(&words);
            self.has_news = false;
        }
    }
}
