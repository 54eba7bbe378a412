//! Requests for jobs on their way: none may be repeated before it is answered.
//!
//! A request whose answer is lost may have been given a job that nobody knows of. Asking again at
//! once, as an HTTP layer that retries does, loses another one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::http::{Passage, Request};

/// By runner token and `system_id`.
#[derive(Default)]
pub struct Asking(HashMap<(String, String), Asker>);

#[derive(Default)]
struct Asker {
    under_way: usize,
    lost: Option<Instant>,
}

impl Asking {
    /// Follows one request; what is wrong with it, if anything.
    pub fn observe(
        &mut self,
        request: &Request,
        passage: Passage,
        shortest_rhythm: Duration,
    ) -> Option<&'static str> {
        let body = request.json()?;
        let field = |name| body.get(name)?.as_str().map(str::to_owned);
        let key = (field("token")?, field("system_id").unwrap_or_default());
        let asker = self.0.entry(key).or_default();
        match passage {
            Passage::Arrived => {
                asker.under_way += 1;
                let lost = asker.lost.take();
                if asker.under_way > 1 {
                    return Some("asked for a job again while a request was still unanswered");
                }
                lost.is_some_and(|lost| lost.elapsed() < shortest_rhythm)
                    .then_some("asked for a job again at once after a lost answer")
            }
            Passage::Answered => {
                asker.under_way = asker.under_way.saturating_sub(1);
                None
            }
            Passage::Lost => {
                asker.under_way = asker.under_way.saturating_sub(1);
                asker.lost = Some(Instant::now());
                None
            }
        }
    }
}
