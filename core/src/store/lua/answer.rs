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
    pub(in crate::store) fn items(self) -> Result<Vec<Answer>> {
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

/// The answer of `probe.lua`: seconds, and microseconds of the second; nothing where we may not ask.
pub(super) fn clock_ms(items: &[Answer]) -> Option<u64> {
    let number = |part: &Answer| match part {
        Answer::Bytes(digits) => std::str::from_utf8(digits).ok()?.parse::<u64>().ok(),
        _ => None,
    };
    let [seconds, micros] = items else { return None };
    Some(number(seconds)?.checked_mul(1000)? + number(micros)? / 1000)
}

pub(super) fn time(ms: i64) -> Duration {
    Duration::from_millis(ms.max(0) as u64)
}

pub(super) fn strange() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "Redis gave an answer of unknown form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_form_is_no_time() {
        let text = |text: &str| Answer::Bytes(text.into());
        assert_eq!(clock_ms(&[text("1780000000"), text("123456")]), Some(1_780_000_000_123));
        for odd in [&[][..], &[Answer::Int(1), Answer::Int(2)], &[text("x"), text("1")], &[text("1")]] {
            assert_eq!(clock_ms(odd), None);
        }
    }
}
