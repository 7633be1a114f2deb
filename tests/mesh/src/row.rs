//! What a scenario found: figures with their bounds, as one row of a table.
use std::fmt;

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    what: String,
    bound: String,
    holds: bool,
}

impl Figure {
    /// A figure that may be at most this.
    pub(crate) fn at_most(what: impl Into<String>, value: u64, bound: u64, unit: &str) -> Self {
        let what = format!("{} {}", what.into(), number(value, unit));
        Self { what, bound: format!("<= {bound}{unit}"), holds: value <= bound }
    }

    /// A figure that must be at least this.
    pub(crate) fn at_least(what: impl Into<String>, value: u64, bound: u64, unit: &str) -> Self {
        let what = format!("{} {}", what.into(), number(value, unit));
        Self { what, bound: format!(">= {bound}{unit}"), holds: value >= bound }
    }

    /// A time that may be at most this; none is never.
    pub(crate) fn within(what: impl Into<String>, ms: Option<u64>, bound_ms: u64) -> Self {
        Self::at_most(what, ms.unwrap_or(u64::MAX), bound_ms, " ms")
    }

    /// Something that must be so.
    pub(crate) fn is(what: impl Into<String>, holds: bool) -> Self {
        let answer = if holds { "yes" } else { "NO" };
        Self { what: format!("{}: {answer}", what.into()), bound: String::new(), holds }
    }

    /// A figure without a bound.
    pub(crate) fn report(what: impl Into<String>) -> Self {
        Self { what: what.into(), bound: String::new(), holds: true }
    }
}

fn number(value: u64, unit: &str) -> String {
    if value == u64::MAX { "never".into() } else { format!("{value}{unit}") }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bound.as_str() {
            "" => f.write_str(&self.what),
            bound => write!(f, "{} ({bound}{})", self.what, if self.holds { "" } else { ": NO" }),
        }
    }
}

/// What became of a scenario.
#[derive(Debug)]
pub(crate) enum Row {
    Ran(Vec<Figure>),
    NotRun(String),
    /// The scenario did not come to its figures.
    Broken(String),
}

impl Row {
    /// Whether nothing was found to be wrong.
    pub(crate) fn is_good(&self) -> bool {
        match self {
            Self::Ran(figures) => figures.iter().all(|figure| figure.holds),
            Self::NotRun(_) => true,
            Self::Broken(_) => false,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |figures: Vec<&Figure>| {
            figures.iter().map(|figure| figure.to_string()).collect::<Vec<_>>().join("; ")
        };
        match self {
            Self::NotRun(why) => write!(f, "not run: {why}"),
            Self::Broken(why) => write!(f, "FAILS: {why}"),
            Self::Ran(figures) => {
                let broken: Vec<&Figure> = figures.iter().filter(|figure| !figure.holds).collect();
                write!(f, "{} | ", list(figures.iter().collect()))?;
                match broken.is_empty() {
                    true => f.write_str("holds"),
                    false => write!(f, "FAILS: {}", list(broken)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_fails_with_its_first_broken_bound_and_says_which() {
        let good = Figure::at_most("peers after", 1_200, 10_000, " ms");
        assert_eq!(good.to_string(), "peers after 1200 ms (<= 10000 ms)");
        let late = Figure::within("a block after", None, 5_000);
        let row = Row::Ran(vec![good.clone(), late]);
        assert!(!row.is_good());
        assert!(row.to_string().ends_with("FAILS: a block after never (<= 5000 ms: NO)"), "{row}");
        let row = Row::Ran(vec![good, Figure::at_least("peers", 3, 3, "")]);
        assert!(row.is_good() && row.to_string().ends_with("| holds"), "{row}");
        assert!(!Figure::at_least("peers", 2, 3, "").holds && !Figure::is("synced", false).holds);
        assert!(Row::NotRun("no namespaces".into()).is_good());
        assert!(!Row::Broken("val0 does not start".into()).is_good());
    }
}
