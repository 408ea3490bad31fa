//! Whether messages are sent beside the operation that asks for them, and how many may wait.

use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};

/// `true`, or `{ "capacity": 1000, "concurrency": 16 }`; in JSON `false` and `null` are no background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackgroundOption {
    /// Messages that wait or are being sent, from 1 to 100 000. Default 1000.
    pub capacity: u32,
    /// Messages being sent at once, from 1 to 1000. Default 16.
    pub concurrency: u32,
}

impl Default for BackgroundOption {
    fn default() -> Self {
        Self { capacity: 1000, concurrency: 16 }
    }
}

impl BackgroundOption {
    pub(super) fn check(self) -> Result<Self> {
        if !(1..=100_000).contains(&self.capacity) {
            return Err(Error::config("sendInBackground.capacity must be 1 to 100000"));
        }
        if !(1..=1000).contains(&self.concurrency) {
            return Err(Error::config("sendInBackground.concurrency must be 1 to 1000"));
        }
        Ok(self)
    }

    /// Reads all its forms.
    pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            capacity: Option<u32>,
            concurrency: Option<u32>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            On(Fields),
            Flag(bool),
            Null,
        }
        let default = Self::default();
        match Form::deserialize(deserializer) {
            Ok(Form::On(Fields { capacity, concurrency })) => Ok(Some(Self {
                capacity: capacity.unwrap_or(default.capacity),
                concurrency: concurrency.unwrap_or(default.concurrency),
            })),
            Ok(Form::Flag(true)) => Ok(Some(default)),
            Ok(Form::Flag(false) | Form::Null) => Ok(None),
            Err(_) => Err(serde::de::Error::custom("must be true or false, or { capacity, concurrency }")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Options;

    fn read(given: &str) -> Result<Option<BackgroundOption>> {
        let json = format!(r#"{{"mode":"development","sendInBackground":{given}}}"#);
        Options::from_json(&json)?.check().map(|settings| settings.background)
    }

    #[test]
    fn every_form_is_read() {
        let default = BackgroundOption::default();
        for (given, expected) in [
            ("true", Some(default)),
            ("{}", Some(default)),
            (r#"{"capacity":5}"#, Some(BackgroundOption { capacity: 5, ..default })),
            ("false", None),
            ("null", None),
        ] {
            assert_eq!(read(given).expect(given), expected, "{given}");
        }
    }

    #[test]
    fn absurd_numbers_are_refused_by_name() {
        for given in
            ["0", "\"yes\"", r#"{"capacity":0}"#, r#"{"capacity":100001}"#, r#"{"concurrency":0}"#, r#"{"workers":1}"#]
        {
            let said = read(given).expect_err(given).to_string();
            assert!(said.starts_with("CONFIG") || said.contains("sendInBackground"), "{given}: {said}");
        }
    }
}
