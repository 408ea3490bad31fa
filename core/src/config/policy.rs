//! The rules that codes live by, their defaults and their bounds.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};
use crate::random::Alphabet;

/// So many per window. `max` 0 means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub max: u32,
    /// Per how long.
    pub window: Duration,
}

impl Limit {
    /// No limit.
    pub const OFF: Limit = Limit { max: 0, window: Duration::ZERO };

    /// `max` per `window`.
    pub const fn new(max: u32, window: Duration) -> Self {
        Self { max, window }
    }
}

/// What `resend` does while a code is live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Resend {
    /// A new code; the old one is dead.
    #[default]
    Rotate,
    /// The same code while at least half its life is left, so that a late message still works.
    ///
    /// The code is then kept encrypted beside its digest (ChaCha20-Poly1305 under the secret).
    Keep,
}

/// The rules for codes of one purpose.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// Characters in a code, 4 to 10. Default 6 (NIST SP 800-63B-4 asks for at least 6 digits).
    pub code_length: usize,
    /// What codes are made of. Default digits.
    pub code_alphabet: Alphabet,
    /// Life of a code. Default 10 min (the longest that NIST SP 800-63B-4 allows).
    pub ttl: Duration,
    /// Codes compared with one challenge, 1 to 100. Default 5.
    pub max_attempts: u16,
    /// Between two issues for an identifier. Default 60 s. A verified code ends it.
    pub cooldown: Duration,
    /// Issues per identifier. Default 3 per 15 min.
    pub issue_limit: Limit,
    /// Comparisons per identifier. Default 10 per 15 min.
    pub verify_limit: Limit,
    /// Wrong codes per identifier, over all its challenges; a right code resets it. Default 30 per 24 h
    /// (NIST SP 800-63B-4: at most 100 consecutive).
    pub failure_budget: Limit,
    /// Issues per IP address (IPv6: per /64). Default 30 per 15 min.
    pub ip_issue_limit: Limit,
    /// Verifications per IP address (IPv6: per /64). Default 100 per 15 min.
    pub ip_verify_limit: Limit,
    /// What `resend` does. Default rotate.
    pub resend: Resend,
}

const QUARTER: Duration = Duration::from_secs(15 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Policy {
    fn default() -> Self {
        Self {
            code_length: 6,
            code_alphabet: Alphabet::Digits,
            ttl: Duration::from_secs(600),
            max_attempts: 5,
            cooldown: Duration::from_secs(60),
            issue_limit: Limit::new(3, QUARTER),
            verify_limit: Limit::new(10, QUARTER),
            failure_budget: Limit::new(30, DAY),
            ip_issue_limit: Limit::new(30, QUARTER),
            ip_verify_limit: Limit::new(100, QUARTER),
            resend: Resend::Rotate,
        }
    }
}

/// A policy as written by users: what is absent keeps its default. Names in JSON are camelCase; snake_case is
/// understood as well.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PolicyOptions {
    /// [`Policy::code_length`].
    #[serde(alias = "code_length")]
    pub code_length: Option<usize>,
    /// `"digits"` or `"letters"`.
    #[serde(alias = "code_alphabet")]
    pub code_alphabet: Option<String>,
    /// [`Policy::ttl`], in seconds.
    #[serde(alias = "ttl_seconds")]
    pub ttl_seconds: Option<f64>,
    /// [`Policy::max_attempts`].
    #[serde(alias = "max_attempts")]
    pub max_attempts: Option<u16>,
    /// [`Policy::cooldown`], in seconds.
    #[serde(alias = "cooldown_seconds")]
    pub cooldown_seconds: Option<f64>,
    /// [`Policy::issue_limit`].
    #[serde(alias = "issue_limit", deserialize_with = "given")]
    pub issue_limit: Option<LimitOption>,
    /// [`Policy::verify_limit`].
    #[serde(alias = "verify_limit", deserialize_with = "given")]
    pub verify_limit: Option<LimitOption>,
    /// [`Policy::failure_budget`].
    #[serde(alias = "failure_budget", deserialize_with = "given")]
    pub failure_budget: Option<LimitOption>,
    /// [`Policy::ip_issue_limit`].
    #[serde(alias = "ip_issue_limit", deserialize_with = "given")]
    pub ip_issue_limit: Option<LimitOption>,
    /// [`Policy::ip_verify_limit`].
    #[serde(alias = "ip_verify_limit", deserialize_with = "given")]
    pub ip_verify_limit: Option<LimitOption>,
    /// [`Policy::resend`]: `"rotate"` or `"keep"`.
    pub resend: Option<Resend>,
}

/// `{ "max": 3, "windowSeconds": 900 }`, or `false` or `null` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum LimitOption {
    /// A limit.
    On {
        /// How many.
        max: u32,
        /// Per how many seconds.
        #[serde(rename = "windowSeconds", alias = "window_seconds")]
        window_seconds: f64,
    },
    /// `false`: no limit.
    Flag(bool),
    /// `null`: no limit.
    Off,
}

/// Tells `null` (no limit) from absent (the default).
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LimitOption>, D::Error> {
    LimitOption::deserialize(deserializer).map(Some).map_err(|_| {
        serde::de::Error::custom("a limit must be { max, windowSeconds } with a whole, positive max, or false for none")
    })
}

impl PolicyOptions {
    /// `base` with what is given here, checked.
    ///
    /// # Errors
    /// `CONFIG`, saying which field to change and its bounds.
    pub fn apply(&self, base: &Policy) -> Result<Policy> {
        let mut policy = base.clone();
        if let Some(length) = self.code_length {
            policy.code_length = length;
        }
        if let Some(alphabet) = &self.code_alphabet {
            policy.code_alphabet = match alphabet.as_str() {
                "digits" => Alphabet::Digits,
                "letters" => Alphabet::Letters,
                _ => return Err(Error::config("policy.codeAlphabet must be \"digits\" or \"letters\"")),
            };
        }
        if let Some(max) = self.max_attempts {
            policy.max_attempts = max;
        }
        if let Some(seconds) = self.ttl_seconds {
            policy.ttl = duration("policy.ttlSeconds", seconds, 30.0 * 86400.0)?;
        }
        if let Some(seconds) = self.cooldown_seconds {
            policy.cooldown = duration("policy.cooldownSeconds", seconds, 86400.0)?;
        }
        for (given, limit, name) in [
            (self.issue_limit, &mut policy.issue_limit, "policy.issueLimit"),
            (self.verify_limit, &mut policy.verify_limit, "policy.verifyLimit"),
            (self.failure_budget, &mut policy.failure_budget, "policy.failureBudget"),
            (self.ip_issue_limit, &mut policy.ip_issue_limit, "policy.ipIssueLimit"),
            (self.ip_verify_limit, &mut policy.ip_verify_limit, "policy.ipVerifyLimit"),
        ] {
            match given {
                Some(LimitOption::On { max, window_seconds }) => {
                    *limit =
                        Limit::new(max, duration(&format!("{name}.windowSeconds"), window_seconds, 30.0 * 86400.0)?);
                }
                Some(LimitOption::Flag(false) | LimitOption::Off) => *limit = Limit::OFF,
                Some(LimitOption::Flag(true)) => {
                    return Err(Error::config(format!("{name} must be {{ max, windowSeconds }} or false")));
                }
                None => {}
            }
            let on = matches!(given, Some(LimitOption::On { .. }));
            if on && (limit.max == 0 || limit.max > 65_535 || limit.window.is_zero()) {
                return Err(Error::config(format!(
                    "{name} needs max from 1 to 65535 and windowSeconds above 0 (use false for no limit)"
                )));
            }
        }
        if let Some(resend) = self.resend {
            policy.resend = resend;
        }
        policy.check()?;
        Ok(policy)
    }
}

impl Policy {
    /// What no store could honour or no code could survive.
    pub(crate) fn check(&self) -> Result<()> {
        if !(4..=10).contains(&self.code_length) {
            return Err(Error::config("policy.codeLength must be 4 to 10"));
        }
        if !(1..=100).contains(&self.max_attempts) {
            return Err(Error::config("policy.maxAttempts must be 1 to 100"));
        }
        if self.ttl.is_zero() {
            return Err(Error::config("policy.ttlSeconds must be above 0"));
        }
        Ok(())
    }

    /// What is weaker than NIST SP 800-63B-4 or OWASP ASVS 5.0 asks for, one sentence each.
    pub(crate) fn weaknesses(&self) -> Vec<String> {
        let mut found = Vec::new();
        let codes = (self.code_alphabet.characters().len() as f64).powi(self.code_length as i32);
        if codes < 1e6 {
            found.push(format!("codes have {:.0} possible values; NIST SP 800-63B-4 asks for 6 digits", codes));
        }
        if self.ttl > Duration::from_secs(600) {
            found.push("codes live longer than the 10 minutes of NIST SP 800-63B-4".into());
        }
        let guesses = self.guesses_per_day();
        if guesses > 100.0 {
            found.push(
                "an identifier may be guessed at too often; NIST SP 800-63B-4 allows 100 consecutive failures".into(),
            );
        }
        if !found.is_empty() {
            let times = if guesses.is_finite() { format!("{guesses:.0} times") } else { "without end".into() };
            let chance = (100.0 * guesses / codes).min(100.0);
            found.push(format!("whoever guesses at an identifier can do so {times} a day, a chance of {chance:.4} %"));
        }
        found
    }

    /// How many wrong codes are compared at most, per identifier and purpose, in 24 hours.
    fn guesses_per_day(&self) -> f64 {
        let per_day = |limit: &Limit| match limit.max {
            0 => f64::INFINITY,
            max => f64::from(max) * (DAY.as_secs_f64() / limit.window.as_secs_f64()).max(1.0),
        };
        let by_issue = per_day(&self.issue_limit) * f64::from(self.max_attempts);
        per_day(&self.failure_budget).min(per_day(&self.verify_limit)).min(by_issue)
    }
}

/// Seconds as users write them.
pub(super) fn duration(name: &str, seconds: f64, most: f64) -> Result<Duration> {
    if !(0.0..=most).contains(&seconds) {
        return Err(Error::config(format!("{name} must be from 0 to {most} seconds")));
    }
    Ok(Duration::from_millis((seconds * 1000.0).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Policy, String> {
        let options: PolicyOptions = serde_json::from_str(json).map_err(|e| e.to_string())?;
        options.apply(&Policy::default()).map_err(|e| e.to_string())
    }

    #[test]
    fn absurd_policies_are_refused() {
        for json in [
            r#"{"ttlSeconds":-1}"#,
            r#"{"ttlSeconds":0}"#,
            r#"{"ttlSeconds":1e300}"#,
            r#"{"codeLength":3}"#,
            r#"{"codeLength":11}"#,
            r#"{"maxAttempts":0}"#,
            r#"{"maxAttempts":101}"#,
            r#"{"maxAttempts":-1}"#,
            r#"{"maxAttempts":2.5}"#,
            r#"{"cooldownSeconds":-0.1}"#,
            r#"{"issueLimit":{"max":0,"windowSeconds":9}}"#,
            r#"{"issueLimit":{"max":3,"windowSeconds":0}}"#,
            r#"{"issueLimit":{"max":3}}"#,
            r#"{"issueLimit":true}"#,
            r#"{"codeAlphabet":"emoji"}"#,
            r#"{"resend":"maybe"}"#,
            r#"{"unknown":1}"#,
            r#"{"ttlSeconds":"10"}"#,
            r#"{"verifyLimit":{"max":70000,"windowSeconds":1}}"#,
            r#"{"failureBudget":{"max":1,"windowSeconds":1e9}}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn limits_can_be_changed_and_switched_off_in_both_spellings() {
        let policy = read(r#"{"issueLimit":false,"verify_limit":null,"failureBudget":{"max":9,"window_seconds":0.5}}"#);
        let policy = policy.expect("policy");
        assert_eq!((policy.issue_limit, policy.verify_limit), (Limit::OFF, Limit::OFF));
        assert_eq!(policy.failure_budget, Limit::new(9, Duration::from_millis(500)));
        assert_eq!(policy.ip_issue_limit, Policy::default().ip_issue_limit);
    }

    #[test]
    fn a_policy_weaker_than_the_standards_is_told_so() {
        assert!(Policy::default().weaknesses().is_empty());
        let weak = read(r#"{"codeLength":4,"ttlSeconds":3600,"failureBudget":false}"#).expect("allowed");
        let said = weak.weaknesses().join("\n");
        assert!(said.contains("10 minutes") && said.contains("960 times a day") && said.contains("9.6"), "{said}");
    }

    #[test]
    fn whatever_is_weak_comes_with_the_chance_of_a_guess() {
        for (json, weakness, chance) in [
            (r#"{"codeLength":5}"#, "100000 possible values", "30 times a day, a chance of 0.0300 %"),
            (r#"{"ttlSeconds":601}"#, "10 minutes", "30 times a day, a chance of 0.0030 %"),
            (r#"{"failureBudget":{"max":101,"windowSeconds":86400}}"#, "100 consecutive", "101 times a day"),
            (r#"{"issueLimit":false,"verifyLimit":false,"failureBudget":false}"#, "100 consecutive", "of 100.0000 %"),
        ] {
            let said = read(json).expect(json).weaknesses();
            assert!(said.len() == 2 && said[0].contains(weakness) && said[1].contains(chance), "{json}: {said:?}");
        }
    }
}
