//! The operations, one file each.

mod code;
mod payload;
mod types;

pub use code::Codes;
pub use types::{IssueRequest, Peek, ResendRequest, Sent, Target, Verified, VerifyRequest};
