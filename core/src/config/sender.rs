//! Who sends: what users write, before `deliver::open` makes senders of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer};

/// One sender, or several: the first that serves an address sends, the next where it surely did not.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SenderOption(pub Vec<SenderSpec>);

/// One sender.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SenderSpec {
    /// Such as `twilio:` or `smtp://user:password@host?from=…`. `callback:0` is the builder's first sender of the app's own.
    Url(String),
    /// Any gateway.
    Webhook(WebhookOptions),
}

/// How a gateway is asked. `{to}`, `{digits}` (`to` without its `+`), `{text}`, `{code}`, `{link}`, `{subject}`, `{html}`,
/// `{id}`, `{purpose}`, `{locale}`, `{minutes}` and `{key}` (the same for every try of one message) are filled in, escaped
/// for the place where they stand.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct WebhookOptions {
    /// `https://…`; `http://…` for a gateway nearby. Placeholders may stand in its path and query.
    pub url: String,
    /// Default `POST`.
    pub method: Option<String>,
    /// Such as `{ "Authorization": "Bearer …" }`.
    pub headers: BTreeMap<String, String>,
    /// Default: JSON of all there is. Of `GET`: none.
    pub body: Option<String>,
    /// `application/json` (default), `application/x-www-form-urlencoded`, `text/xml`, `text/plain`: how what stands in the
    /// body is escaped.
    #[serde(alias = "content_type")]
    pub content_type: Option<String>,
    /// What it serves: `phone`, `email`, or both (default).
    pub serves: Option<String>,
    /// What the body of a successful answer holds, for gateways that answer 200 to everything.
    pub expect: Option<String>,
    /// Whether it knows a message by the header `Idempotency-Key`: then it is asked again where its answer was lost.
    pub idempotent: bool,
}

impl From<&str> for SenderOption {
    fn from(url: &str) -> Self {
        Self(vec![SenderSpec::Url(url.to_owned())])
    }
}

impl From<WebhookOptions> for SenderOption {
    fn from(webhook: WebhookOptions) -> Self {
        Self(vec![SenderSpec::Webhook(webhook)])
    }
}

impl<'de> Deserialize<'de> for SenderOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Many(Vec<SenderSpec>),
            One(SenderSpec),
            None,
        }
        // The stock message would repeat what it could not read, and that may hold a password.
        match Form::deserialize(deserializer) {
            Ok(Form::Many(list)) if !list.is_empty() => Ok(Self(list)),
            Ok(Form::One(one)) => Ok(Self(vec![one])),
            Ok(Form::None) => Ok(Self::default()),
            _ => Err(serde::de::Error::custom(
                "sender must be a URL such as \"twilio:\", a webhook { url, method, headers, body, contentType, serves, \
                 expect, idempotent }, or a list of those",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for SenderSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Url(String),
            Webhook(WebhookOptions),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Url(url) => Self::Url(url),
            Form::Webhook(options) => Self::Webhook(options),
        })
    }
}

impl fmt::Debug for SenderOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl fmt::Debug for SenderSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What stands behind the scheme may be a password.
            Self::Url(url) => f.write_str(url.split_once(':').map_or("…", |(scheme, _)| scheme)),
            Self::Webhook(_) => f.write_str("webhook"),
        }
    }
}

impl fmt::Debug for WebhookOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookOptions(…)")
    }
}
