//! The options of `Oncecode::open`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use phonenumber::country;
use serde::{Deserialize, Deserializer};

use super::background::BackgroundOption;
use super::breaker::{Breaker, BreakerOption};
use super::limits::{LimitDefinition, LimitRule, rules};
use super::messages::{DomainOption, MessageOptions};
use super::policy::{Policy, PolicyOptions, duration};
use super::sender::SenderOption;
use super::session::{SessionOptions, SessionPolicy};
use super::test_codes::{TestCodeOptions, TestCodes};
use super::token::{LinkOptions, LinkPolicy, TokenOptions, TokenPolicy};
use crate::error::{Error, Result};
use crate::identifier;
use crate::ip::TrustedProxies;
use crate::secret::Secret;

/// Whom the process serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Mode {
    /// Real users: a long secret and a real sender are required, codes are never returned. The default.
    #[default]
    Production,
    /// Developers: `console:` is the default sender and `issue` returns the code.
    Development,
}

/// One secret, or several during a rotation, newest first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretOption(pub Vec<Secret>);

/// The options of `Oncecode::open`, all optional. Names in JSON are camelCase; snake_case is understood as well.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Options {
    /// Keys all digests. At least 32 bytes in production, from a CSPRNG (`openssl rand -base64 32`). A list, newest
    /// first, rotates.
    pub secret: SecretOption,
    /// Names entities in keys; must stay the same across rotations. Default: the last of `secret`.
    #[serde(alias = "index_secret", deserialize_with = "one_secret")]
    pub index_secret: Option<Secret>,
    /// `"production"` (default) or `"development"`.
    pub mode: Mode,
    /// Rules for codes; what is absent keeps its default.
    pub policy: PolicyOptions,
    /// Rules that differ for some purposes, by purpose.
    pub purposes: BTreeMap<String, PolicyOptions>,
    /// Codes that are known beforehand, for listed identifiers. Default: none.
    #[serde(alias = "test_codes")]
    pub test_codes: Option<TestCodeOptions>,
    /// Named limits for `once.limits`, by name, beside the presets or instead of them.
    pub limits: BTreeMap<String, LimitDefinition>,
    /// `false` lets every hit of `once.limits` pass. Default true.
    #[serde(alias = "rate_limits")]
    pub rate_limits: Option<bool>,
    /// The proxies whose `X-Forwarded-For` is believed: addresses, networks, `loopback`, `linklocal`, `uniquelocal`.
    #[serde(alias = "trusted_proxies")]
    pub trusted_proxies: Vec<String>,
    /// Rules for sessions; what is absent keeps its default.
    pub sessions: SessionOptions,
    /// Rules and keys for tokens (JWT); what is absent keeps its default.
    pub tokens: TokenOptions,
    /// Rules for links; what is absent keeps its default.
    pub links: LinkOptions,
    /// Who sends: URLs such as `twilio:`, webhooks, or a list of them. `console:` and `none:` are for development only.
    pub sender: SenderOption,
    /// The app's name in messages.
    #[serde(alias = "app_name")]
    pub app_name: Option<String>,
    /// Templates of your own for messages, by purpose (`"*"` for all) and locale.
    pub messages: MessageOptions,
    /// The BCP 47 locale of messages for which none was asked, or one that has no texts. Default `en`.
    pub locale: Option<String>,
    /// The site that codes in SMS are bound to, such as `example.com`: browsers fill them in there.
    pub domain: DomainOption,
    /// ISO 3166-1 alpha-2 region of phone numbers written without a country code.
    #[serde(alias = "default_region")]
    pub default_region: Option<String>,
    /// Separates apps that share a store. Default `oncecode`.
    #[serde(alias = "key_prefix")]
    pub key_prefix: Option<String>,
    /// Keep addresses legible in keys, for debugging. Default false. Not in production.
    #[serde(alias = "readable_keys")]
    pub readable_keys: bool,
    /// The bound of every store call, connecting included, in milliseconds. Default 250.
    #[serde(alias = "deadline_ms")]
    pub deadline_ms: Option<f64>,
    /// When a store that does not answer is left alone. On by default; `false` switches it off.
    #[serde(deserialize_with = "BreakerOption::given")]
    pub breaker: Option<BreakerOption>,
    /// The bound of sending a message, in milliseconds. Default 10 000.
    #[serde(alias = "send_deadline_ms")]
    pub send_deadline_ms: Option<f64>,
    /// Sends beside the operation, which does not wait for it; the result is an event. Off by default.
    #[serde(alias = "send_in_background", deserialize_with = "BackgroundOption::given")]
    pub send_in_background: Option<BackgroundOption>,
    /// SQL stores: what table names begin with. Default `oncecode_`.
    #[serde(alias = "table_prefix")]
    pub table_prefix: Option<String>,
    /// PostgreSQL: the schema of the tables. Default: the connection's own. MySQL refuses it: its URL names the database.
    pub schema: Option<String>,
    /// SQL stores: connections at most. Default 10.
    #[serde(alias = "max_connections")]
    pub max_connections: Option<u32>,
    /// SQL stores: deleting expired rows in the background. Default every 300 s.
    pub purge: PurgeOption,
}

/// How expired rows are deleted in the background: at the defaults, otherwise, or (in JSON `false` or `null`) not at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PurgeOption {
    /// How often, in seconds, give or take half; from 0.01 to 86 400. `None` for not at all. Default 300.
    pub interval_seconds: Option<f64>,
    /// Rows deleted by one statement, from 1 to 100 000; statements follow each other until all is done. Default 1000.
    pub batch: u32,
}

impl Default for PurgeOption {
    fn default() -> Self {
        Self { interval_seconds: Some(300.0), batch: 1000 }
    }
}

/// The options, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) secrets: Vec<Secret>,
    pub(crate) index_secret: Option<Secret>,
    pub(crate) mode: Mode,
    pub(crate) policy: Policy,
    pub(crate) purposes: BTreeMap<String, Policy>,
    pub(crate) test_codes: Option<TestCodes>,
    pub(crate) limits: BTreeMap<String, LimitRule>,
    pub(crate) limits_off: bool,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) sessions: SessionPolicy,
    pub(crate) tokens: TokenPolicy,
    pub(crate) links: LinkPolicy,
    pub(crate) app_name: Option<String>,
    pub(crate) messages: MessageOptions,
    pub(crate) locale: Option<String>,
    pub(crate) domain: DomainOption,
    pub(crate) region: Option<country::Id>,
    pub(crate) key_prefix: String,
    pub(crate) readable_keys: bool,
    pub(crate) deadline: Duration,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) send_deadline: Duration,
    pub(crate) background: Option<BackgroundOption>,
    pub(crate) table_prefix: String,
    pub(crate) schema: Option<String>,
    pub(crate) max_connections: u32,
    pub(crate) purge_interval: Option<Duration>,
    pub(crate) purge_batch: u32,
}

/// Known to everybody, so that a checkout runs at once; production refuses to start without a real one.
const DEVELOPMENT_SECRET: &str = "oncecode development secret, not for production";

impl Options {
    /// Reads options from JSON, as the bindings pass them.
    ///
    /// # Errors
    /// `CONFIG`, naming the field.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut reader = serde_json::Deserializer::from_str(json);
        serde_path_to_error::deserialize(&mut reader).map_err(|e| {
            let (field, why) = (brief(&e.path().to_string()), brief(&without_position(e.inner())));
            Error::config(if field == "." { format!("options: {why}") } else { format!("{field}: {why}") })
        })
    }

    pub(crate) fn check(&self) -> Result<Settings> {
        let policy = self.policy.apply(&Policy::default())?;
        let mut purposes = BTreeMap::new();
        for (purpose, own) in &self.purposes {
            purposes.insert(purpose.clone(), own.apply(&policy)?);
        }
        if self.readable_keys && self.mode == Mode::Production {
            return Err(Error::config("readableKeys is for debugging and not possible in production mode"));
        }
        let millis = |name, given: Option<f64>, default| {
            let ms = given.unwrap_or(default);
            let checked = duration(name, ms / 1000.0, 600.0).ok().filter(|d| !d.is_zero());
            checked.ok_or_else(|| Error::config(format!("{name} must be from 1 to 600000 milliseconds")))
        };
        let max_connections = self.max_connections.unwrap_or(10);
        if !(1..=1000).contains(&max_connections) {
            return Err(Error::config("maxConnections must be 1 to 1000"));
        }
        let interval = self.purge.interval_seconds;
        if interval.is_some_and(|seconds| !(0.01..=86_400.0).contains(&seconds)) {
            return Err(Error::config("purge.intervalSeconds must be from 0.01 to 86400"));
        }
        if !(1..=100_000).contains(&self.purge.batch) {
            return Err(Error::config("purge.batch must be from 1 to 100000"));
        }
        let region = self.default_region.as_deref().map(identifier::region).transpose()?;
        let policies = purposes.values().chain([&policy]);
        let test_codes = self.test_codes.as_ref().map(|codes| codes.check(self.mode, region, policies)).transpose()?;
        Ok(Settings {
            secrets: self.secrets()?,
            index_secret: self.index_secret.clone(),
            mode: self.mode,
            policy,
            purposes,
            test_codes,
            limits: rules(&self.limits)?,
            limits_off: self.rate_limits == Some(false),
            trusted_proxies: TrustedProxies::new(&self.trusted_proxies)?,
            sessions: self.sessions.check()?,
            tokens: self.tokens.check()?,
            links: self.links.check()?,
            app_name: self.app_name.clone(),
            messages: self.messages.clone(),
            locale: self.locale.clone(),
            domain: self.domain.clone(),
            region,
            key_prefix: self.key_prefix.clone().unwrap_or_else(|| "oncecode".into()),
            readable_keys: self.readable_keys,
            deadline: millis("deadlineMs", self.deadline_ms, 250.0)?,
            breaker: BreakerOption::check(self.breaker)?,
            send_deadline: millis("sendDeadlineMs", self.send_deadline_ms, 10_000.0)?,
            background: self.send_in_background.map(BackgroundOption::check).transpose()?,
            table_prefix: sql_name("tablePrefix", self.table_prefix.as_deref().unwrap_or("oncecode_"))?,
            schema: self.schema.as_deref().map(|s| sql_name("schema", s)).transpose()?,
            max_connections,
            purge_interval: interval.map(Duration::from_secs_f64),
            purge_batch: self.purge.batch,
        })
    }

    fn secrets(&self) -> Result<Vec<Secret>> {
        let secrets = self.secret.0.clone();
        if secrets.iter().chain(&self.index_secret).any(|s| s.expose().is_empty()) {
            return Err(Error::config("secret must not be empty; make one with: openssl rand -base64 32"));
        }
        if self.mode == Mode::Production {
            if secrets.is_empty() {
                return Err(Error::config("secret is required in production; make one with: openssl rand -base64 32"));
            }
            if secrets.iter().chain(&self.index_secret).any(|s| s.expose().len() < 32) {
                return Err(Error::config(
                    "secret must be at least 32 bytes in production; make one with: openssl rand -base64 32",
                ));
            }
        }
        Ok(if secrets.is_empty() { vec![Secret::from(DEVELOPMENT_SECRET)] } else { secrets })
    }
}

/// Names that are safe unquoted and fold the same everywhere; they are quoted as well.
fn sql_name(option: &str, name: &str) -> Result<String> {
    let safe =
        name.bytes().enumerate().all(|(i, b)| b.is_ascii_lowercase() || b == b'_' || (i > 0 && b.is_ascii_digit()));
    if name.is_empty() || name.len() > 30 || !safe {
        return Err(Error::config(format!(
            "{option} must be 1 to 30 lower-case letters, digits or '_', not beginning with a digit"
        )));
    }
    Ok(name.to_owned())
}

/// A message of names and values as they were given, the long ones cut: no mistake should fill a log.
fn brief(text: &str) -> String {
    const MOST: usize = 60;
    let mut said = String::with_capacity(text.len().min(2000));
    let mut length = 0;
    for c in text.chars() {
        length = if matches!(c, '`' | '"' | '.' | ' ') { 0 } else { length + 1 };
        match length {
            0..=MOST => said.push(c),
            _ if said.ends_with('…') => {}
            _ => said.push('…'),
        }
    }
    match said.char_indices().nth(1500) {
        Some((end, _)) => said[..end].to_owned() + " …",
        None => said,
    }
}

/// The line and column in a document that the user never saw would confuse.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

impl<'de> Deserialize<'de> for SecretOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            One(String),
            Many(Vec<String>),
            None,
        }
        // The stock message would repeat what it could not read.
        match Form::deserialize(deserializer) {
            Ok(Form::One(secret)) => Ok(Self(vec![Secret::from(secret)])),
            Ok(Form::Many(secrets)) if !secrets.is_empty() => Ok(Self(secrets.into_iter().map(Secret::from).collect())),
            Ok(Form::None) => Ok(Self::default()),
            _ => Err(serde::de::Error::custom("secret must be a string or a list of strings, newest first")),
        }
    }
}

impl<'de> Deserialize<'de> for PurgeOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Fields {
            #[serde(alias = "interval_seconds")]
            interval_seconds: Option<f64>,
            batch: Option<u32>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Flag(bool),
            Some(Fields),
            None,
        }
        let default = Self::default();
        let off = Self { interval_seconds: None, ..default };
        match Form::deserialize(deserializer) {
            Ok(Form::Flag(true)) => Ok(default),
            Ok(Form::Flag(false) | Form::None) => Ok(off),
            Ok(Form::Some(fields)) => Ok(Self {
                interval_seconds: fields.interval_seconds.or(default.interval_seconds),
                batch: fields.batch.unwrap_or(default.batch),
            }),
            Err(_) => Err(serde::de::Error::custom("must be false, or an object with intervalSeconds and batch")),
        }
    }
}

fn one_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer);
    text.map(|t| t.map(Secret::from)).map_err(|_| serde::de::Error::custom("indexSecret must be a string"))
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("mode", &self.mode)
            .field("secret", &self.secret)
            .field("sender", &self.sender)
            .field("policy", &self.policy)
            .field("purposes", &self.purposes)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SecretOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn refusal(json: &str) -> String {
        let error = Options::from_json(json).and_then(|o| o.check()).expect_err(json);
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn production_wants_a_long_secret() {
        assert!(refusal("{}").contains("required"));
        assert!(refusal(r#"{"secret":"short"}"#).contains("32 bytes"));
        assert!(refusal(r#"{"secret":"","mode":"development"}"#).contains("empty"));
        assert!(Options::from_json(r#"{"mode":"development"}"#).and_then(|o| o.check()).is_ok());
    }

    #[test]
    fn a_wrong_type_is_told_with_its_field() {
        for (json, field) in [
            (r#"{"deadlineMs":"fast"}"#, "deadlineMs: "),
            (r#"{"policy":{"ttlSeconds":"600"}}"#, "policy.ttlSeconds: "),
        ] {
            assert!(refusal(json).starts_with(field), "{json}");
        }
    }

    #[test]
    fn a_message_never_repeats_a_secret() {
        for json in [
            r#"{"secret":123456789}"#,
            r#"{"secret":{"a":"hunter2"}}"#,
            r#"{"indexSecret":77777777}"#,
            r#"{"secret":[]}"#,
        ] {
            let said = refusal(json);
            assert!(
                said.contains("ecret must be")
                    && !said.contains("hunter2")
                    && !said.contains("7777")
                    && !said.contains("4567"),
                "{said}"
            );
        }
    }

    #[test]
    fn names_that_could_leave_their_quotes_are_refused() {
        for json in [
            r#"{"secret":"12345678901234567890123456789012","schema":"a\"b"}"#,
            r#"{"mode":"development","tablePrefix":"Drop "}"#,
        ] {
            assert!(refusal(json).contains("must be"), "{json}");
        }
    }
}
