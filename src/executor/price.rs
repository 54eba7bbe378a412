//! What a machine costs, as plain data.

#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// Of an hour, without taxes.
    pub hourly: f64,
    /// An ISO 4217 code.
    pub currency: String,
}
