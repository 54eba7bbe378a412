//! One figure: what it says, what it should be, what it is.

pub struct Figure {
    pub what: String,
    pub aim: Option<Aim>,
    unit: Unit,
    /// None: it could not be measured.
    value: Option<f64>,
}

#[derive(Clone, Copy)]
pub enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

/// With how many digits behind the point, and what stands behind it.
#[derive(Clone, Copy)]
pub struct Unit(usize, &'static str);

pub const SECONDS: Unit = Unit(2, " s");
pub const MILLISECONDS: Unit = Unit(0, " ms");
pub const PERCENT: Unit = Unit(0, " %");
pub const FACTOR: Unit = Unit(2, "");
pub const COUNT: Unit = Unit(0, "");
pub const RATE: Unit = Unit(1, "");
pub const MEBIBYTES: Unit = Unit(1, " MiB");
pub const KIBIBYTES: Unit = Unit(0, " KiB");

const UNKNOWN: &str = "–";
const MISSED: &str = " ✗";

impl Figure {
    /// The value is in this unit.
    pub fn new(what: impl Into<String>, unit: Unit, value: Option<f64>) -> Self {
        Self {
            what: what.into(),
            aim: None,
            unit,
            value,
        }
    }

    pub fn at_most(self, most: f64) -> Self {
        let aim = Some(Aim::AtMost(most));
        Self { aim, ..self }
    }

    pub fn at_least(self, least: f64) -> Self {
        let aim = Some(Aim::AtLeast(least));
        Self { aim, ..self }
    }

    pub fn is_missed(&self) -> bool {
        let Some(value) = self.value else {
            return false;
        };
        match self.aim {
            Some(Aim::AtMost(most)) => value > most,
            Some(Aim::AtLeast(least)) => value < least,
            None => false,
        }
    }

    /// With a mark, if it is not what it should be.
    pub fn shown(&self) -> String {
        let value = self
            .value
            .map_or_else(|| UNKNOWN.to_owned(), |value| self.text(value));
        let mark = if self.is_missed() { MISSED } else { "" };
        format!("{value}{mark}")
    }

    pub fn shown_aim(&self) -> String {
        match self.aim {
            None => String::new(),
            Some(Aim::AtMost(most)) => format!("≤ {}", self.text(most)),
            Some(Aim::AtLeast(least)) => format!("≥ {}", self.text(least)),
        }
    }

    fn text(&self, value: f64) -> String {
        let Unit(digits, name) = self.unit;
        format!("{value:.digits$}{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misses_its_aim_is_marked_and_what_is_unknown_is_not() {
        let shown = |value| Figure::new("", SECONDS, value).at_most(1.5).shown();
        assert_eq!(shown(Some(1.5)), "1.50 s");
        assert_eq!(shown(Some(1.51)), "1.51 s ✗");
        assert_eq!(shown(None), "–");
        let figure = Figure::new("", PERCENT, Some(89.0)).at_least(90.0);
        assert_eq!(
            (figure.shown_aim(), figure.shown()),
            ("≥ 90 %".to_owned(), "89 % ✗".to_owned())
        );
    }
}
