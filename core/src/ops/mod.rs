//! The operations, one file each.

mod admin;
mod background;
mod cache;
mod code;
mod delivery;
mod flight;
mod health;
mod idempotency;
mod lease;
mod limit;
mod link;
mod lock;
mod otp;
mod payload;
mod qr;
mod quota;
mod record;
mod recovery;
mod session;
mod token;
mod totp;
mod types;
pub(crate) mod upkeep;

pub use admin::{Admin, Copied, CopyRequest, Progress};
pub(crate) use background::{Background, Spawn};
pub use cache::{Cache, CacheRequest, Cached, Fetched, Ticket};
pub use code::Codes;
pub use delivery::Delivery;
pub(crate) use flight::Flights;
pub use health::Health;
pub use idempotency::{Begun, Claim, Idempotency, IdempotencyRequest, Reply};
pub use limit::{HitRequest, Limits};
pub use link::{Followed, Link, LinkRequest, LinkTarget, Links};
pub use lock::{Lock, LockRequest, Locks};
pub use otp::{OtpAlgorithm, OtpSettings};
pub use quota::Quota;
pub use session::{NewSession, Session, SessionRequest, SessionTarget, Sessions};
pub(crate) use token::Cache as TokenCache;
pub use token::{Claims, SignRequest, Tokens};
pub use totp::{Enrolment, RecoveryCodes, Totp, TotpAccepted, TotpRequest};
pub use types::{IssueRequest, Peek, ResendRequest, Sent, Target, Verified, VerifyRequest};

use crate::error::{Error, Result};

fn check_purpose(purpose: &str) -> Result<()> {
    let plain = purpose.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b));
    match plain && (1..=64).contains(&purpose.len()) {
        true => Ok(()),
        false => Err(Error::argument("purpose must be 1 to 64 letters, digits, '_', '-', '.' or ':'")),
    }
}
