//! When a store that does not answer is left alone, and how often it is looked after.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::policy::duration;
use crate::error::{Error, Result};

/// The circuit breaker's numbers, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Breaker {
    /// It opens after so many outages in a row.
    pub(crate) failures: u32,
    /// Between its opening and the first probe.
    pub(crate) probe_interval: Duration,
    /// Each probe that fails doubles the interval, up to this.
    pub(crate) max_probe_interval: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, probe_interval: Duration::from_secs(1), max_probe_interval: Duration::from_secs(5) }
    }
}

/// `{ "failures": 5, "probeIntervalMs": 1000, "maxProbeIntervalMs": 5000 }`, or `false` or `null` for no breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BreakerOption {
    /// A breaker; what is absent keeps its default.
    On(BreakerOptions),
    /// None: every call asks the store, and waits for it until the deadline.
    Off,
}

/// What a breaker may be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct BreakerOptions {
    /// Outages in a row after which it opens, 1 to 1000; calls that fail together count as one. Default 5.
    pub failures: Option<u32>,
    /// Between its opening and the first probe, in milliseconds. Default 1000.
    #[serde(alias = "probe_interval_ms")]
    pub probe_interval_ms: Option<f64>,
    /// What the interval grows to, doubled by each probe that fails, in milliseconds. Default 5000, or the interval where
    /// that is longer.
    #[serde(alias = "max_probe_interval_ms")]
    pub max_probe_interval_ms: Option<f64>,
}

impl BreakerOption {
    /// `None`: no breaker.
    ///
    /// # Errors
    /// `CONFIG`, naming the field and its bounds.
    pub(super) fn check(given: Option<Self>) -> Result<Option<Breaker>> {
        let options = match given {
            Some(Self::Off) => return Ok(None),
            Some(Self::On(options)) => options,
            None => BreakerOptions::default(),
        };
        let default = Breaker::default();
        let failures = options.failures.unwrap_or(default.failures);
        if !(1..=1000).contains(&failures) {
            return Err(Error::config("breaker.failures must be 1 to 1000"));
        }
        let millis = |name, given: Option<f64>, default: Duration| match given {
            None => Ok(default),
            Some(ms) => duration(name, ms / 1000.0, 600.0)
                .ok()
                .filter(|d| !d.is_zero())
                .ok_or_else(|| Error::config(format!("breaker.{name} must be from 1 to 600000 milliseconds"))),
        };
        let probe_interval = millis("probeIntervalMs", options.probe_interval_ms, default.probe_interval)?;
        let longest = default.max_probe_interval.max(probe_interval);
        let max_probe_interval = millis("maxProbeIntervalMs", options.max_probe_interval_ms, longest)?;
        if max_probe_interval < probe_interval {
            return Err(Error::config("breaker.maxProbeIntervalMs must not be below breaker.probeIntervalMs"));
        }
        Ok(Some(Breaker { failures, probe_interval, max_probe_interval }))
    }

    /// Tells `null` (no breaker) from absent (the default).
    pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            On(BreakerOptions),
            Flag(bool),
            Null,
        }
        let expected = "breaker must be { failures, probeIntervalMs, maxProbeIntervalMs }, or false for none";
        match Form::deserialize(deserializer) {
            Ok(Form::On(options)) => Ok(Some(Self::On(options))),
            Ok(Form::Flag(true)) => Ok(Some(Self::On(BreakerOptions::default()))),
            Ok(Form::Flag(false) | Form::Null) => Ok(Some(Self::Off)),
            Err(_) => Err(serde::de::Error::custom(expected)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Options;

    fn read(breaker: &str) -> Result<Option<Breaker>> {
        let json = format!(r#"{{"mode":"development","breaker":{breaker}}}"#);
        Options::from_json(&json)?.check().map(|settings| settings.breaker)
    }

    #[test]
    fn what_is_absent_keeps_its_default() {
        let ms = Duration::from_millis;
        for (given, failures, interval, longest) in [
            ("{}", 5, ms(1000), ms(5000)),
            ("true", 5, ms(1000), ms(5000)),
            (r#"{"failures":1}"#, 1, ms(1000), ms(5000)),
            (r#"{"probeIntervalMs":20}"#, 5, ms(20), ms(5000)),
            (r#"{"probe_interval_ms":20000}"#, 5, ms(20_000), ms(20_000)),
        ] {
            let expected = Breaker { failures, probe_interval: interval, max_probe_interval: longest };
            assert_eq!(read(given).expect(given), Some(expected), "{given}");
        }
        for off in ["false", "null"] {
            assert_eq!(read(off).expect(off), None);
        }
    }

    #[test]
    fn what_cannot_be_is_told_with_its_bounds() {
        for bad in [
            "5",
            r#"{"failure":5}"#,
            r#"{"failures":0}"#,
            r#"{"failures":1.5}"#,
            r#"{"probeIntervalMs":0}"#,
            r#"{"probeIntervalMs":600001}"#,
            r#"{"probeIntervalMs":100,"maxProbeIntervalMs":99}"#,
        ] {
            let error = read(bad).expect_err(bad);
            assert_eq!(error.code(), "CONFIG", "{bad}");
            assert!(error.message().starts_with("breaker"), "{bad}: {error}");
        }
    }
}
