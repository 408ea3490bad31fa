//! Status callbacks: what became of a message, said later by the provider.

use std::fmt;

use serde_json::{Value, json};

use crate::error::ErrorKind;

/// A status callback as it came in. `Debug` shows none of it.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct StatusRequest {
    /// The whole URL that the provider asked for, as it was given to the provider: behind a proxy that is not what the server
    /// sees.
    pub url: String,
    /// All headers; names in any case.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryStatus {
    /// Who says so: `twilio`.
    pub provider: &'static str,
    /// What the provider calls the message.
    pub message: String,
    /// How far it came.
    pub state: DeliveryState,
    /// Why it failed, where the provider's reason is one of ours: `UNREACHABLE` …
    pub reason: Option<ErrorKind>,
    /// The provider's own number for it.
    pub provider_code: Option<String>,
}

/// How far a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryState {
    /// The provider has it.
    Queued,
    /// The carrier has it.
    Sent,
    /// The user has it.
    Delivered,
    /// The user will not get it.
    Failed,
    /// The provider said something that we do not know.
    Unknown,
}

impl DeliveryState {
    /// The stable word, the same in all languages.
    pub fn code(self) -> &'static str {
        match self {
            DeliveryState::Queued => "queued",
            DeliveryState::Sent => "sent",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
            DeliveryState::Unknown => "unknown",
        }
    }
}

impl DeliveryStatus {
    /// The same as JSON, by the names of the fields in lower camel case; what is not known is absent.
    pub fn to_json(&self) -> Value {
        let mut json = json!({ "provider": self.provider, "message": self.message, "state": self.state.code() });
        if let Some(reason) = self.reason {
            json["reason"] = reason.code().into();
        }
        if let Some(code) = &self.provider_code {
            json["providerCode"] = code.as_str().into();
        }
        json
    }
}

impl StatusRequest {
    /// A header, whatever the case of its name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for StatusRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatusRequest(…)")
    }
}
