//! One-time codes done right, once.
//!
//! [`Oncecode`] issues codes to phone numbers and email addresses and verifies each exactly once, with attempt limits,
//! cooldowns, rate limits and failure budgets that hold under any number of concurrent callers, on the store you have.
//! The same core serves Node.js and Python: a code issued by one can be verified by another.

// What only some stores and senders use is unused where they are left out; the full build has all lints.
#![cfg_attr(not(feature = "full"), allow(dead_code, unreachable_code, unused_imports, unused_mut, unused_variables))]

mod client;
mod config;
mod deliver;
mod error;
mod event;
pub mod host;
#[cfg(feature = "http")]
mod http;
mod identifier;
mod ip;
mod jws;
mod key;
mod ops;
mod random;
mod secret;
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
mod text;
mod time;
#[cfg(any(feature = "http", feature = "smtp"))]
mod tls;

pub use client::{Builder, Oncecode};
pub use config::{
    BackgroundOption, LinkOptions, SessionOptions, TestCodeOptions, TokenKey, TokenOptions, UsersOptions,
};
pub use config::{
    BreakerOption, BreakerOptions, LimitDefinition, LimitOption, LimitPart, Mode, Options, Outage, Policy,
    PolicyOptions, PurgeOption, Resend, SecretOption,
};
pub use config::{DomainOption, LinkTemplates, MessageOptions, MessageTemplates};
pub use config::{SenderOption, SenderSpec, WebhookOptions};
pub use deliver::{Callback, Encoding, Message, Segments, Sender, sms_segments};
pub use deliver::{DeliveryState, DeliveryStatus, StatusRequest};
pub use error::{Class, Error, ErrorKind, Result};
pub use event::{Event, EventKind, Listener};
pub use identifier::Identifier;
pub use key::Key;
pub use ops::{Admin, Copied, CopyRequest, Progress};
pub use ops::{Begun, Claim, Idempotency, IdempotencyRequest, Reply};
pub use ops::{Cache, CacheRequest, Cached, Fetched, Ticket};
pub use ops::{Claims, Followed, Link, LinkRequest, LinkTarget, Links, SignRequest, Tokens};
pub use ops::{Codes, IssueRequest, Peek, ResendRequest, Sent, Target, Verified, VerifyRequest};
pub use ops::{Delivery, Health};
pub use ops::{Enrolment, OtpAlgorithm, OtpSettings, RecoveryCodes, Totp, TotpAccepted, TotpRequest};
pub use ops::{HitRequest, Limits, Quota};
pub use ops::{Lock, LockRequest, Locks};
pub use ops::{NewSession, Session, SessionRequest, SessionTarget, Sessions};
pub use random::{Alphabet, Random, SystemRandom};
pub use secret::{Digest, Secret};
pub use store::{BoxFuture, BreakerState, Store};
pub use time::{Clock, SystemClock};
pub use tokio_util::sync::CancellationToken;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
