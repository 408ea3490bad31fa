//! Named limits: what users write, and what they get without writing anything.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::policy::duration;
use crate::error::{Error, Result};

/// How a limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Algorithm {
    /// A window begins with its first hit and counts up to the maximum. Up to twice the maximum may pass around its
    /// end. The default.
    #[default]
    Fixed,
    /// The same, and the window before counts by the share of it that is less than one window ago.
    Sliding,
    /// A bucket of `max` tokens that refills evenly over the window (GCRA).
    Bucket,
}

/// At most `max` per `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How hits are counted.
    pub algorithm: Algorithm,
    /// How much, from 1.
    pub max: u32,
    /// Per how long.
    pub window: Duration,
}

/// What a limit does while the store is out of reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outage {
    /// Each process counts for itself, in bounded memory. The default.
    #[default]
    Local,
    /// Everything passes.
    Open,
    /// Nothing passes: `STORE_UNAVAILABLE`.
    Closed,
}

/// A named limit as written by users: `max` and `windowSeconds`, or several of them in `limits`, of which all must have
/// room. Names in JSON are camelCase; snake_case is understood as well.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimitDefinition {
    /// How much, 1 to 1 000 000.
    pub max: Option<u32>,
    /// Per how many seconds, 0.1 to 31 622 400 (366 days).
    #[serde(alias = "window_seconds")]
    pub window_seconds: Option<f64>,
    /// `"fixed"` (default), `"sliding"` or `"bucket"`.
    pub algorithm: Option<Algorithm>,
    /// Several limits, 1 to 8, instead of one.
    pub limits: Vec<LimitPart>,
    /// `"local"` (default), `"open"` or `"closed"`.
    pub outage: Outage,
}

/// One of several limits.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitPart {
    /// How much, 1 to 1 000 000.
    pub max: u32,
    /// Per how many seconds, 0.1 to 31 622 400 (366 days).
    #[serde(alias = "window_seconds")]
    pub window_seconds: f64,
    /// `"fixed"` (default), `"sliding"` or `"bucket"`.
    #[serde(default)]
    pub algorithm: Algorithm,
}

/// A named limit, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LimitRule {
    pub(crate) rates: Vec<Rate>,
    pub(crate) outage: Outage,
}

const QUARTER: f64 = 15.0 * 60.0;
const YEAR: f64 = 366.0 * 24.0 * 3600.0;

/// Names that need no definition: for log-in, sending mail, searching, buying, and any other request.
const PRESETS: [(&str, u32, f64, Outage); 5] = [
    ("auth", 10, QUARTER, Outage::Local),
    ("email", 5, 3600.0, Outage::Local),
    ("search", 60, 60.0, Outage::Open),
    ("purchase", 10, 3600.0, Outage::Local),
    ("api", 300, 60.0, Outage::Open),
];

/// The presets, and what `own` defines or overrides.
pub(crate) fn rules(own: &BTreeMap<String, LimitDefinition>) -> Result<BTreeMap<String, LimitRule>> {
    let mut rules = BTreeMap::new();
    for (name, max, window_seconds, outage) in PRESETS {
        let preset =
            LimitDefinition { max: Some(max), window_seconds: Some(window_seconds), outage, ..Default::default() };
        rules.insert(name.to_owned(), preset.check(name)?);
    }
    for (name, definition) in own {
        rules.insert(name.clone(), definition.check(name)?);
    }
    Ok(rules)
}

impl LimitDefinition {
    /// `max` per `window_seconds`, counted in fixed windows.
    pub fn new(max: u32, window_seconds: f64) -> Self {
        Self { max: Some(max), window_seconds: Some(window_seconds), ..Self::default() }
    }

    pub(crate) fn check(&self, name: &str) -> Result<LimitRule> {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b));
        if name.is_empty() || name.len() > 64 || !plain {
            return Err(Error::config("a limit's name must be 1 to 64 letters, digits, '_', '-', '.' or ':'"));
        }
        let one = match (self.max, self.window_seconds, self.algorithm) {
            (Some(max), Some(window_seconds), algorithm) => {
                Some(LimitPart { max, window_seconds, algorithm: algorithm.unwrap_or_default() })
            }
            (None, None, None) => None,
            _ => return Err(Error::config(format!("limits.{name} needs max and windowSeconds, or a list in limits"))),
        };
        let parts: Vec<_> = one.iter().chain(&self.limits).collect();
        if parts.is_empty() || parts.len() > 8 || (one.is_some() && !self.limits.is_empty()) {
            return Err(Error::config(format!(
                "limits.{name} needs either max and windowSeconds, or 1 to 8 of them in limits"
            )));
        }
        let rates = parts.into_iter().map(|part| part.check(name)).collect::<Result<_>>()?;
        Ok(LimitRule { rates, outage: self.outage })
    }
}

impl LimitPart {
    fn check(&self, name: &str) -> Result<Rate> {
        if !(1..=1_000_000).contains(&self.max) {
            return Err(Error::config(format!("limits.{name}: max must be 1 to 1000000")));
        }
        let window = duration("windowSeconds", self.window_seconds, YEAR).ok().filter(|w| w.as_millis() >= 100);
        let window =
            window.ok_or_else(|| Error::config(format!("limits.{name}: windowSeconds must be from 0.1 to {YEAR}")))?;
        Ok(Rate { algorithm: self.algorithm, max: self.max, window })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<LimitRule, String> {
        let definition: LimitDefinition = serde_json::from_str(json).map_err(|e| e.to_string())?;
        definition.check("mine").map_err(|e| e.to_string())
    }

    #[test]
    fn one_and_several_are_understood() {
        let one = read(r#"{"max":5,"window_seconds":0.5,"algorithm":"bucket","outage":"closed"}"#).expect("one");
        assert_eq!((one.rates.len(), one.rates[0].window, one.outage), (1, Duration::from_millis(500), Outage::Closed));
        let month = read(r#"{"limits":[{"max":5,"windowSeconds":1},{"max":100,"windowSeconds":2592000}]}"#);
        assert_eq!(month.expect("two").rates[1].window, Duration::from_secs(30 * 24 * 3600));
    }

    #[test]
    fn absurd_limits_are_refused() {
        for json in [
            "{}",
            r#"{"max":0,"windowSeconds":1}"#,
            r#"{"max":1,"windowSeconds":0}"#,
            r#"{"max":1,"windowSeconds":-1}"#,
            r#"{"max":1,"windowSeconds":1e300}"#,
            r#"{"max":1}"#,
            r#"{"max":-1,"windowSeconds":1}"#,
            r#"{"max":1,"windowSeconds":1,"algorithm":"magic"}"#,
            r#"{"max":1,"windowSeconds":1,"limits":[{"max":1,"windowSeconds":1}]}"#,
            r#"{"limits":[{"max":1,"windowSeconds":1,"burst":2}]}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        assert!(LimitDefinition::new(1, 1.0).check("no spaces").is_err());
    }

    #[test]
    fn presets_can_be_overridden() {
        let own = BTreeMap::from([("auth".to_owned(), LimitDefinition::new(3, 60.0))]);
        let rules = rules(&own).expect("rules");
        assert_eq!(rules["auth"].rates[0].max, 3);
        assert_eq!(rules["search"].outage, Outage::Open);
    }
}
