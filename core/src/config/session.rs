//! The rules that sessions live by.

use std::time::Duration;

use serde::Deserialize;

use super::policy::duration;
use crate::error::{Error, Result};

/// Rules for sessions as users write them; what is absent keeps its default. Names in JSON are camelCase; snake_case is
/// understood as well.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SessionOptions {
    /// The absolute life of a session, in seconds. Default 30 days, at most 400.
    #[serde(alias = "ttl_seconds")]
    pub ttl_seconds: Option<f64>,
    /// A session that is not used for so many seconds ends. Default: none but the absolute life.
    #[serde(alias = "idle_seconds")]
    pub idle_seconds: Option<f64>,
    /// Activity is written at most once in so many seconds. Default 60.
    #[serde(alias = "activity_seconds")]
    pub activity_seconds: Option<f64>,
    /// For so many seconds after a rotation the old token is still good, for requests that were under way. Default 0.
    #[serde(alias = "rotation_grace_seconds")]
    pub rotation_grace_seconds: Option<f64>,
    /// Sessions a user may have, 1 to 200. One more ends the one unused for longest. Default 50.
    #[serde(alias = "max_per_user")]
    pub max_per_user: Option<usize>,
    /// The cookie's name; production puts `__Host-` before it. Default `session`.
    #[serde(alias = "cookie_name")]
    pub cookie_name: Option<String>,
}

/// The same, checked.
#[derive(Clone, Debug)]
pub(crate) struct SessionPolicy {
    pub(crate) ttl: Duration,
    pub(crate) idle: Option<Duration>,
    pub(crate) activity: Duration,
    pub(crate) grace: Duration,
    pub(crate) max_per_user: usize,
    pub(crate) cookie_name: String,
}

const DAY: f64 = 86_400.0;

impl SessionOptions {
    pub(crate) fn check(&self) -> Result<SessionPolicy> {
        let life = |name, given: Option<f64>| match given.map(|s| duration(name, s, 400.0 * DAY)).transpose()? {
            Some(life) if life < Duration::from_secs(1) => Err(Error::config(format!("{name} must be at least 1"))),
            life => Ok(life),
        };
        let idle = life("sessions.idleSeconds", self.idle_seconds)?;
        let asked = duration("sessions.activitySeconds", self.activity_seconds.unwrap_or(60.0), DAY)?;
        let max_per_user = self.max_per_user.unwrap_or(50);
        if !(1..=200).contains(&max_per_user) {
            return Err(Error::config("sessions.maxPerUser must be 1 to 200"));
        }
        let cookie_name = self.cookie_name.clone().unwrap_or_else(|| "session".into());
        let plain = cookie_name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if !plain || !(1..=64).contains(&cookie_name.len()) {
            return Err(Error::config("sessions.cookieName must be 1 to 64 letters, digits, '_', '-' or '.'"));
        }
        Ok(SessionPolicy {
            ttl: life("sessions.ttlSeconds", self.ttl_seconds)?.unwrap_or(Duration::from_secs(30 * 86_400)),
            // Activity that is not written makes a session look idle: a tenth of the timeout is lost at most.
            activity: idle.map_or(asked, |idle| asked.min(idle / 10)),
            idle,
            grace: duration("sessions.rotationGraceSeconds", self.rotation_grace_seconds.unwrap_or(0.0), 300.0)?,
            max_per_user,
            cookie_name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<SessionPolicy> {
        serde_json::from_str::<SessionOptions>(json).map_err(|e| Error::config(e.to_string()))?.check()
    }

    #[test]
    fn activity_is_written_often_enough_for_the_idle_timeout() {
        assert_eq!(read("{}").expect("defaults").activity, Duration::from_secs(60));
        assert_eq!(read(r#"{"idleSeconds":300}"#).expect("idle").activity, Duration::from_secs(30));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for json in [
            r#"{"ttlSeconds":0}"#,
            r#"{"ttlSeconds":1e12}"#,
            r#"{"idleSeconds":-1}"#,
            r#"{"maxPerUser":0}"#,
            r#"{"rotationGraceSeconds":3600}"#,
            r#"{"cookieName":"a b"}"#,
            r#"{"cookieName":""}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
