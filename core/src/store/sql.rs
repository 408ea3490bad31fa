//! What the SQL stores share: how values are laid out in columns, and how schemas are versioned.

use std::time::Duration;

#[cfg(any(feature = "postgres", feature = "mysql"))]
use super::Refused;
use super::{Entry, Version};
use crate::error::{Error, ErrorKind, Result};

#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) mod pool;
#[cfg(all(test, feature = "full"))]
pub(super) mod tests;

/// Puts names into statements: `{prefix}` within quotes, `{schema}` as it is.
pub(super) fn named(sql: &str, schema: &str, prefix: &str) -> String {
    sql.replace("{schema}", schema).replace("{prefix}", prefix)
}

/// A value's two columns: the number it reads as, for the database to add to, and the bytes, unless they are just that
/// number in figures.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns<'a> {
    pub(super) value: Option<&'a [u8]>,
    pub(super) number: Option<i64>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        let number: Option<i64> = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        let is_plain = number.is_some_and(|n| n.to_string().as_bytes() == bytes);
        Self { value: (!is_plain).then_some(bytes), number }
    }
}

/// What the two columns stood for. `None` when nothing of its life is left.
pub(super) fn entry(value: Option<Vec<u8>>, number: Option<i64>, version: i64, left: Duration) -> Option<Entry> {
    let value = value.or(number.map(|n| n.to_string().into_bytes())).unwrap_or_default();
    let version = Version(version.to_le_bytes().to_vec());
    (!left.is_zero()).then_some(Entry { value, version, ttl: Some(left) })
}

/// Where a scan goes on: a table's letter, `c` or `e`, and the key that was last there.
pub(super) fn cursor<'c>(cursor: &'c str, prefix: &'c str) -> Result<(char, &'c str)> {
    let unknown = || Error::argument("the cursor is not one of this store's");
    match cursor.split_once(':') {
        None if cursor.is_empty() => Ok(('c', prefix)),
        Some(("c", after)) => Ok(('c', after)),
        Some(("e", "")) => Ok(('e', prefix)),
        Some(("e", after)) => Ok(('e', after)),
        _ => Err(unknown()),
    }
    .and_then(|(table, after)| if after.starts_with(prefix) { Ok((table, after)) } else { Err(unknown()) })
}

/// The cursor after a page that ended with the key `last`, if it was full.
pub(super) fn next(table: char, last: Option<String>) -> Option<String> {
    match (table, last) {
        (table, Some(last)) => Some(format!("{table}:{last}")),
        ('c', None) => Some("e:".to_owned()),
        (_, None) => None,
    }
}

/// The least text above all that begin with `prefix`, which ends in a colon.
pub(super) fn after(prefix: &str) -> String {
    format!("{};", prefix.trim_end_matches(':'))
}

/// The number of a version that one of our entries had.
pub(super) fn version(version: &Version) -> Option<i64> {
    <[u8; 8]>::try_from(version.0.as_slice()).ok().map(i64::from_le_bytes)
}

/// The steps that bring a schema from version `found` to the newest. `steps` are versions 1, 2 and so on.
///
/// # Errors
/// `CONFIG` when a newer oncecode has been here: what it made may mean something else by now.
pub(super) fn pending<'a>(steps: &[&'a str], found: i64) -> Result<Vec<(i64, &'a str)>> {
    let newest = steps.len() as i64;
    if found > newest {
        return Err(Error::config(format!(
            "the tables are of version {found}, made by a newer oncecode; this one knows {newest}: update it, or give it tables of its own with tablePrefix"
        )));
    }
    Ok((1..).zip(steps.iter().copied()).skip(found.max(0) as usize).collect())
}

/// Why a statement of a hot operation says no, by the word it has for it.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn refused(outcome: &str, wait: Duration) -> Option<Refused> {
    Some(match outcome {
        "gated" => Refused::Gated(wait),
        "locked" => Refused::Locked(wait),
        "limited" => Refused::Limited(wait),
        "cooldown" => Refused::Cooldown(wait),
        "spent" => Refused::Spent(wait),
        "not_found" => Refused::NotFound,
        _ => return None,
    })
}

/// Tables that somebody else made are not touched.
pub(super) fn foreign() -> Error {
    Error::config("the database has tables of these names that oncecode did not make; choose another tablePrefix")
}

pub(super) fn unavailable(message: &str) -> Error {
    Error::new(ErrorKind::StoreUnavailable, message)
}
