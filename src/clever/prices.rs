//! What machines cost. Clever page, 5.2.
//!
//! The list is public, and the one from which Clever Cloud's own console tells prices; those in the
//! lists of flavors have had other units before. It knows no organization's own conditions.

use std::collections::HashMap;

use super::public::{get, what};
use crate::http::Http;
use crate::json::Fields;

/// An hour of each flavor, without taxes.
#[derive(Clone, Debug, Default)]
pub struct Prices(HashMap<String, f64>);

impl Prices {
    /// Those in `zone` and in `currency`, an ISO 4217 code, as the API at `api` (`https://host/v2`) tells them.
    ///
    /// # Errors
    /// A text that says what was tried and what came back.
    pub fn fetch(http: &Http, api: &str, zone: &str, currency: &str) -> Result<Self, String> {
        let base = api.strip_suffix("/v2").unwrap_or(api);
        let url = format!("{base}/v4/billing/price-system?zone_id={zone}&currency={currency}");
        let answer = get(http, &url)?;
        let system = Fields::read(&answer.body)
            .map_err(|_| format!("{}: the answer is not a JSON object", what(&url)))?;
        let hourly = system.list("runtime").into_iter().filter_map(|price| {
            let price = Fields::of(price).ok()?;
            let is_hourly = price.text("time_unit").as_deref() == Some("PT1H");
            let id = price.text("slug_id").filter(|_| is_hourly)?;
            Some((id.to_lowercase(), price.get("price")?))
        });
        Ok(Self(hourly.collect()))
    }

    /// What an hour of a flavor costs, as this list calls it, where that is known.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<f64> {
        self.0.get(&id.to_lowercase()).copied()
    }
}
