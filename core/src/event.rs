//! What happened, for logs, metrics and audits.

use std::fmt;
use std::sync::Arc;

use crate::error::ErrorKind;

/// What happened to a code, or to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A code was stored and handed to the sender.
    Created,
    /// Nothing was issued: a cooldown, a limit, a spent budget, a store out of reach.
    IssueRefused(ErrorKind),
    /// The sender failed; cooldown and quota were given back.
    DeliveryFailed(ErrorKind),
    /// The right code came in time, for the first time.
    Verified,
    /// A verification was refused.
    VerificationFailed(ErrorKind),
    /// The challenge was cancelled by the app.
    Cancelled,
    /// The store did not answer several times in a row. Calls fail at once from now on, but for probes.
    StoreDown,
    /// The store answers again.
    StoreUp,
}

/// One event. Addresses are masked; codes never appear.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The purpose, as given; `None` for what concerns the store.
    pub purpose: Option<String>,
    /// The scheme of the store's URL, for what concerns the store.
    pub store: Option<String>,
    /// The masked identifier; `None` when only a challenge id was known.
    pub identifier: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Attempts left, where that is known.
    pub attempts_left: Option<u32>,
}

impl Event {
    /// The stable name, such as `SIGNUP_OTP_VERIFIED`: the purpose in capitals and what happened. Of the store,
    /// `STORE_DOWN` and `STORE_UP`.
    pub fn name(&self) -> String {
        let Some(purpose) = &self.purpose else { return self.kind.code().to_owned() };
        let purpose: String =
            purpose.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        format!("{purpose}_OTP_{}", self.kind.code())
    }

    /// Why it was refused or failed: an error code such as `WRONG_CODE`.
    pub fn reason(&self) -> Option<&'static str> {
        match self.kind {
            EventKind::IssueRefused(why) | EventKind::DeliveryFailed(why) | EventKind::VerificationFailed(why) => {
                Some(why.code())
            }
            EventKind::StoreDown => Some(ErrorKind::StoreUnavailable.code()),
            _ => None,
        }
    }
}

impl EventKind {
    /// The stable word, the same in all languages: `CREATED`, `VERIFIED` … `STORE_DOWN`, `STORE_UP`.
    pub fn code(self) -> &'static str {
        match self {
            EventKind::Created => "CREATED",
            EventKind::IssueRefused(_) => "ISSUE_REFUSED",
            EventKind::DeliveryFailed(_) => "DELIVERY_FAILED",
            EventKind::Verified => "VERIFIED",
            EventKind::VerificationFailed(_) => "VERIFICATION_FAILED",
            EventKind::Cancelled => "CANCELLED",
            EventKind::StoreDown => "STORE_DOWN",
            EventKind::StoreUp => "STORE_UP",
        }
    }
}

/// Receives events. It is called on the operation's own path: hand over quickly, never block.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Where events go: `tracing` always, a listener by option.
#[derive(Clone, Default)]
pub(crate) struct Events(pub(crate) Option<Listener>);

impl Events {
    /// Whether anybody listens; building an event for nobody costs time on every call.
    pub(crate) fn wanted(&self) -> bool {
        self.0.is_some() || tracing::enabled!(target: "oncecode", tracing::Level::INFO)
    }

    pub(crate) fn emit(&self, make: impl FnOnce() -> Event) {
        if !self.wanted() {
            return;
        }
        let event = make();
        tracing::info!(target: "oncecode", event = %event.name(), identifier = event.identifier.as_deref(),
            reason = event.reason(), attempts_left = event.attempts_left);
        if let Some(listener) = &self.0 {
            listener(&event);
        }
    }

    /// What concerns the store is a warning: whoever runs the app wants to know, listener or not.
    pub(crate) fn warn(&self, event: &Event) {
        tracing::warn!(target: "oncecode", event = %event.name(), store = event.store.as_deref(), reason = event.reason());
        if let Some(listener) = &self.0 {
            listener(event);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events(listener: {})", self.0.is_some())
    }
}
