//! The operations, one file each.

mod code;
mod idempotency;
mod lease;
mod lock;
mod payload;
mod record;
mod types;

pub use code::Codes;
pub use idempotency::{Begun, Claim, Idempotency, IdempotencyRequest, Reply};
pub use lock::{Lock, LockRequest, Locks};
pub use types::{IssueRequest, Peek, ResendRequest, Sent, Target, Verified, VerifyRequest};
