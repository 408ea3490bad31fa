//! What a script answers, whatever carried it.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Entry, Refused, Version};

/// A reply of Redis, as far as our scripts give such.
#[derive(Debug, PartialEq)]
pub(in crate::store) enum Answer {
    Nil,
    Okay,
    Int(i64),
    Bytes(Vec<u8>),
    Array(Vec<Answer>),
    /// None of ours.
    Other,
}

impl Answer {
    pub(super) fn items(self) -> Result<Vec<Answer>> {
        match self {
            Answer::Array(items) => Ok(items),
            _ => Err(strange()),
        }
    }
}

/// The answer of `get.lua` and `take.lua`.
pub(super) fn entry(answer: Answer) -> Result<Option<Entry>> {
    if answer == Answer::Nil {
        return Ok(None);
    }
    match <[Answer; 2]>::try_from(answer.items()?) {
        Ok([Answer::Bytes(value), Answer::Int(left)]) => {
            let ttl = (left >= 0).then(|| time(left));
            Ok(Some(Entry { version: Version(value.clone()), value, ttl }))
        }
        _ => Err(strange()),
    }
}

/// `{why not, ms}`
pub(super) fn refused(items: &[Answer]) -> Result<Refused> {
    match *items {
        [Answer::Int(1), Answer::Int(wait)] => Ok(Refused::Gated(time(wait))),
        [Answer::Int(2), Answer::Int(wait)] => Ok(Refused::Locked(time(wait))),
        [Answer::Int(3), Answer::Int(wait)] => Ok(Refused::Limited(time(wait))),
        [Answer::Int(4), Answer::Int(wait)] => Ok(Refused::Cooldown(time(wait))),
        [Answer::Int(5), Answer::Int(_)] => Ok(Refused::NotFound),
        [Answer::Int(6), Answer::Int(wait)] => Ok(Refused::Spent(time(wait))),
        _ => Err(strange()),
    }
}

pub(super) fn time(ms: i64) -> Duration {
    Duration::from_millis(ms.max(0) as u64)
}

pub(super) fn strange() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "Redis gave an answer of unknown form")
}
