//! The meta commands that are used, as bytes (memcached 1.6, `doc/protocol.txt`).

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::store::{Version, When};

/// Larger than anything we store; a longer answer is not ours.
const LONGEST: usize = 1 << 20;

/// A command.
pub(super) enum Request<'a> {
    Get,
    Set { value: &'a [u8], seconds: u64, when: &'a When },
    Delete { version: &'a Version },
}

/// An answer.
#[derive(Debug, PartialEq)]
pub(super) enum Meta {
    Value { value: Vec<u8>, cas: u64, seconds: i64 },
    Done,
    NotStored,
    Exists,
    Missing,
}

impl Request<'_> {
    pub(super) fn encode(&self, key: &Key) -> Vec<u8> {
        let key = key.as_str();
        match self {
            Request::Get => format!("mg {key} v c t\r\n").into_bytes(),
            Request::Delete { version } => format!("md {key} C{}\r\n", cas(version)).into_bytes(),
            Request::Set { value, seconds, when } => {
                let condition = match when {
                    When::Always => String::new(),
                    When::Absent => " ME".into(),
                    When::Version(version) => format!(" C{}", cas(version)),
                };
                let mut bytes = format!("ms {key} {} T{seconds}{condition}\r\n", value.len()).into_bytes();
                bytes.extend_from_slice(value);
                bytes.extend_from_slice(b"\r\n");
                bytes
            }
        }
    }
}

/// A version that this store did not make matches nothing: no item has number 0.
fn cas(version: &Version) -> u64 {
    version.0.as_slice().try_into().map_or(0, u64::from_le_bytes)
}

/// Reads one answer.
pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Meta> {
    let line = line(from).await?;
    let mut words = line.split(' ');
    match words.next() {
        Some("HD") => Ok(Meta::Done),
        Some("NS") => Ok(Meta::NotStored),
        Some("EX") => Ok(Meta::Exists),
        Some("NF" | "EN") => Ok(Meta::Missing),
        Some("VA") => {
            let length: usize =
                words.next().and_then(|n| n.parse().ok()).filter(|n| *n < LONGEST).ok_or_else(strange)?;
            let (mut number, mut seconds) = (None, None);
            for flag in words {
                match flag.split_at_checked(1) {
                    Some(("c", text)) => number = text.parse().ok(),
                    Some(("t", text)) => seconds = text.parse().ok(),
                    _ => {}
                }
            }
            let mut value = vec![0; length + 2];
            from.read_exact(&mut value).await.map_err(lost)?;
            value.truncate(length);
            let (Some(cas), Some(seconds)) = (number, seconds) else { return Err(strange()) };
            Ok(Meta::Value { value, cas, seconds })
        }
        Some("SERVER_ERROR") => {
            Err(Error::new(ErrorKind::StoreUnavailable, "memcached is out of memory or broken").answered(true))
        }
        Some("ERROR") => Err(Error::config("this memcached server knows no meta commands; 1.6 or newer is needed")),
        _ => Err(strange()),
    }
}

/// One line without its end, of bounded length.
pub(super) async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> Result<String> {
    let mut bytes = Vec::new();
    from.take(2048).read_until(b'\n', &mut bytes).await.map_err(lost)?;
    match bytes.strip_suffix(b"\r\n") {
        Some(line) => String::from_utf8(line.to_vec()).map_err(|_| strange()),
        None => Err(Error::new(ErrorKind::StoreUnavailable, "memcached closed the connection")),
    }
}

/// What a server says of itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Stats {
    /// Its clock, in seconds since the Unix epoch.
    pub(super) time: Option<u64>,
    /// Items it forgot for want of memory, before their life was over.
    pub(super) evictions: u64,
}

/// Reads the answer of `stats`.
pub(super) async fn stats(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Stats> {
    let mut found = Stats::default();
    loop {
        let line = line(from).await?;
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["END"] => return Ok(found),
            ["STAT", "time", time] => found.time = time.parse().ok(),
            ["STAT", "evictions", evictions] => found.evictions = evictions.parse().unwrap_or(0),
            ["STAT", ..] => {}
            _ => return Err(strange()),
        }
    }
}

pub(super) fn lost(error: std::io::Error) -> Error {
    Error::new(ErrorKind::StoreUnavailable, "memcached cannot be reached").with_source(error)
}

pub(super) fn strange() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "memcached gave an answer of unknown form")
}
