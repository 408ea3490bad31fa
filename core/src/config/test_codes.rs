//! Codes that are known beforehand, for the accounts of testers and of app-store reviewers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use phonenumber::country;
use serde::{Deserialize, Deserializer};

use super::{Mode, Policy};
use crate::error::{Error, Result};
use crate::identifier::Identifier;
use crate::secret::Secret;

/// Fixed codes for listed identifiers, as users write them. Names in JSON are camelCase; snake_case is understood as well.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct TestCodeOptions {
    /// The code of each phone number or email address. Nothing is sent to them; every other rule holds for them as well.
    /// A purpose whose codes have another length or alphabet is served as ever.
    #[serde(deserialize_with = "codes")]
    pub codes: BTreeMap<String, Secret>,
    /// When it ends: an RFC 3339 date and time, or a date, which is the last day in UTC. At most 366 days ahead.
    pub until: String,
    /// Those of them that are meant for production as well, each by name. Without it, production refuses to start.
    #[serde(alias = "allow_in_production", default)]
    pub allow_in_production: Vec<String>,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct TestCodes {
    codes: BTreeMap<String, Secret>,
    until_ms: u64,
}

/// A code that was fixed beforehand.
pub(crate) struct Fixed {
    pub(crate) code: Secret,
    /// How long it may live at most.
    pub(crate) left: Duration,
}

const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl TestCodeOptions {
    /// `policies`: all there are; each code must be one for at least one of them.
    pub(crate) fn check<'a>(
        &self,
        mode: Mode,
        region: Option<country::Id>,
        policies: impl Iterator<Item = &'a Policy> + Clone,
    ) -> Result<TestCodes> {
        let mut codes = BTreeMap::new();
        for (typed, code) in &self.codes {
            let to = identifier("codes", typed, region)?;
            if !policies.clone().any(|policy| reads(policy, code).is_some()) {
                let masked = to.masked();
                return Err(Error::config(format!(
                    "testCodes.codes: the code of {masked} has not the length and alphabet of any policy"
                )));
            }
            if codes.insert(to.as_str().to_owned(), code.clone()).is_some() {
                return Err(Error::config(format!("testCodes.codes: {} is there twice", to.masked())));
            }
        }
        let mut allowed = Vec::new();
        for typed in &self.allow_in_production {
            let to = identifier("allowInProduction", typed, region)?;
            if !codes.contains_key(to.as_str()) {
                let masked = to.masked();
                return Err(Error::config(format!(
                    "testCodes.allowInProduction: {masked} is not among testCodes.codes"
                )));
            }
            allowed.push(to.as_str().to_owned());
        }
        if mode == Mode::Production && codes.keys().any(|to| !allowed.contains(to)) {
            return Err(Error::config(
                "testCodes is refused in production: anybody who learns such a code signs in with it. \
                 Remove it, or name each of its identifiers in testCodes.allowInProduction",
            ));
        }
        Ok(TestCodes { codes, until_ms: end(&self.until)? })
    }
}

impl TestCodes {
    /// What is said when a client opens at `now_ms`.
    ///
    /// # Errors
    /// `CONFIG` where the end is too far away to be one.
    pub(crate) fn begin(&self, now_ms: u64) -> Result<String> {
        let left = Duration::from_millis(self.until_ms.saturating_sub(now_ms));
        if left > LONGEST {
            return Err(Error::config("testCodes.until must be at most 366 days ahead"));
        }
        Ok(match left.is_zero() {
            true => "testCodes.until is over: the fixed test codes are off".into(),
            false => format!("fixed test codes are on for {} identifiers", self.codes.len()),
        })
    }

    /// The code of `to`, if it has one under this policy at `now_ms`.
    pub(crate) fn of(&self, to: &Identifier, policy: &Policy, now_ms: u64) -> Option<Fixed> {
        let left = Duration::from_millis(self.until_ms.saturating_sub(now_ms));
        let code = self.codes.get(to.as_str()).filter(|_| !left.is_zero())?;
        Some(Fixed { code: reads(policy, code)?, left })
    }
}

fn reads(policy: &Policy, code: &Secret) -> Option<Secret> {
    policy.code_alphabet.read(code.expose(), policy.code_length)
}

fn identifier(field: &str, typed: &str, region: Option<country::Id>) -> Result<Identifier> {
    // Without what was typed: it may be somebody's address.
    Identifier::parse(typed, region).map_err(|e| Error::config(format!("testCodes.{field}: {e}")))
}

fn end(until: &str) -> Result<u64> {
    let until = until.trim();
    let moment = match until.parse::<Timestamp>() {
        Ok(moment) => Some(moment),
        Err(_) => until.parse::<Date>().ok().and_then(|day| {
            let next = day.tomorrow().ok()?;
            TimeZone::UTC.to_timestamp(next.at(0, 0, 0, 0)).ok()
        }),
    };
    moment.and_then(|moment| u64::try_from(moment.as_millisecond()).ok()).ok_or_else(|| {
        Error::config("testCodes.until must be a date such as \"2027-01-31\" or \"2027-01-31T18:00:00Z\"")
    })
}

/// The stock message would repeat a code, and its path an address.
fn codes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Secret>, D::Error> {
    let why = "must be an object whose names are addresses and whose values are codes, as strings";
    let refused = || serde::de::Error::custom(why);
    let given = serde_json::Value::deserialize(deserializer).map_err(|_| refused())?;
    let serde_json::Value::Object(given) = given else { return Err(refused()) };
    let pairs = given.into_iter().map(|(to, code)| match code {
        serde_json::Value::String(code) => Some((to, Secret::from(code))),
        _ => None,
    });
    pairs.collect::<Option<_>>().ok_or_else(refused)
}

impl fmt::Debug for TestCodeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} test codes until {}", self.codes.len(), self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, mode: Mode) -> Result<TestCodes> {
        let options: TestCodeOptions = serde_json::from_str(json).map_err(|e| Error::config(e.to_string()))?;
        options.check(mode, None, [Policy::default()].iter())
    }

    fn refusal(json: &str, mode: Mode) -> String {
        check(json, mode).expect_err(json).to_string()
    }

    const ONE: &str = r#"{"codes":{"+1 415 867 5309":"012345"},"until":"2027-01-31"}"#;

    #[test]
    fn a_date_alone_is_its_whole_day() {
        let until =
            |text: &str| check(&ONE.replace("2027-01-31", text), Mode::Development).map(|codes| codes.until_ms).ok();
        assert_eq!(until("2027-01-31"), Some(1_801_440_000_000));
        assert_eq!(until("2027-01-31"), until("2027-02-01T00:00:00Z"));
        assert_eq!(until("2027-02-01T05:30:00+05:30"), until("2027-01-31"));
        for text in ["", "soon", "2027-02-30", "31.01.2027", "1801440000000", "1969-12-30", "9999-12-31"] {
            assert_eq!(until(text), None, "{text}");
        }
    }

    #[test]
    fn the_end_bounds_the_code() {
        let codes = check(ONE, Mode::Development).expect("checked");
        let (to, policy) = (Identifier::Phone("+14158675309".into()), Policy::default());
        let left = |now| codes.of(&to, &policy, now).map(|fixed| fixed.left.as_millis());
        assert_eq!(left(1_801_440_000_000 - 5), Some(5));
        assert_eq!(left(1_801_440_000_000), None);
        assert!(codes.of(&Identifier::Phone("+14158675308".into()), &policy, 0).is_none());
        let longer = Policy { code_length: 8, ..Policy::default() };
        assert!(codes.of(&to, &longer, 0).is_none());
    }

    #[test]
    fn a_list_without_an_end_is_refused() {
        assert!(refusal(r#"{"codes":{}}"#, Mode::Development).contains("until"));
        let codes = check(ONE, Mode::Development).expect("checked");
        assert!(codes.begin(1_801_440_000_000 - 367 * 86_400_000).is_err());
        assert!(codes.begin(1_801_440_000_000 - 365 * 86_400_000).is_ok_and(|said| said.contains("1 identifiers")));
        assert!(codes.begin(1_801_440_000_000).is_ok_and(|said| said.contains("off")));
    }

    #[test]
    fn production_wants_every_name() {
        assert!(refusal(ONE, Mode::Production).contains("allowInProduction"));
        let named = ONE.replace("{\"codes", r#"{"allowInProduction":["+14158675309"],"codes"#);
        assert!(check(&named, Mode::Production).is_ok());
        let other = named.replace("[\"+14158675309", "[\"+14158675308");
        assert!(refusal(&other, Mode::Development).contains("not among"));
    }

    #[test]
    fn no_message_repeats_an_address_or_a_code() {
        for json in [
            r#"{"codes":{"+14158675309":998877},"until":"2027-01-31"}"#,
            r#"{"codes":{"+14158675309":"99887"},"until":"2027-01-31"}"#,
            r#"{"codes":{"+14158675309":"998877","+1 415 867 5309":"998878"},"until":"2027-01-31"}"#,
            r#"{"codes":{"4158675309":"998877"},"until":"2027-01-31"}"#,
            r#"{"codes":[["+14158675309","998877"]],"until":"2027-01-31"}"#,
        ] {
            let said = refusal(json, Mode::Development);
            assert!(!said.contains("8675309") && !said.contains("9988"), "{said}");
        }
        let options: TestCodeOptions = serde_json::from_str(ONE).expect("options");
        assert_eq!(format!("{options:?}"), "1 test codes until 2027-01-31");
    }
}
