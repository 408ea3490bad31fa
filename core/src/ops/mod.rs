//! The operations, one file each.

mod cache;
mod code;
mod flight;
mod idempotency;
mod lease;
mod limit;
mod lock;
mod otp;
mod payload;
mod qr;
mod quota;
mod record;
mod recovery;
mod totp;
mod types;

pub use cache::{Cache, CacheRequest, Cached, Fetched, Ticket};
pub use code::Codes;
pub(crate) use flight::Flights;
pub use idempotency::{Begun, Claim, Idempotency, IdempotencyRequest, Reply};
pub use limit::{HitRequest, Limits};
pub use lock::{Lock, LockRequest, Locks};
pub use otp::{OtpAlgorithm, OtpSettings};
pub use quota::Quota;
pub use totp::{Enrolment, RecoveryCodes, Totp, TotpAccepted, TotpRequest};
pub use types::{IssueRequest, Peek, ResendRequest, Sent, Target, Verified, VerifyRequest};
