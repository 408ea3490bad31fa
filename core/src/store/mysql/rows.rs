//! What rows mean, and what errors mean.

use std::time::Duration;

use sqlx::mysql::{MySqlDatabaseError, MySqlRow};
use sqlx::{Decode, MySql, Row, Type};

use crate::error::{Error, ErrorKind, Result};
use crate::store::Entry;
use crate::store::challenge::millis;
use crate::store::sql;

/// Longer spans would leave the range of the server's times.
const LONGEST_MS: u64 = 1000 * 365 * 24 * 60 * 60 * 1000;

pub(super) fn milliseconds(span: Duration) -> i64 {
    millis(span).min(LONGEST_MS) as i64
}

/// A span of time in whole milliseconds; none and negative ones are zero.
pub(super) fn span(row: &MySqlRow, name: &str) -> Result<Duration> {
    let found = get::<Option<i64>>(row, name)?.unwrap_or_default();
    Ok(Duration::from_millis(found.max(0) as u64))
}

pub(super) fn number(row: &MySqlRow, name: &str) -> Result<u32> {
    Ok(get::<i64>(row, name)?.clamp(0, i64::from(u32::MAX)) as u32)
}

pub(super) fn read_id(row: &MySqlRow, name: &str) -> Result<[u8; 16]> {
    get::<&[u8]>(row, name)?.try_into().map_err(|_| unexpected())
}

pub(super) fn read_entry(row: Option<MySqlRow>) -> Result<Option<Entry>> {
    let Some(row) = row else { return Ok(None) };
    Ok(sql::entry(get(&row, "value")?, get(&row, "number")?, get(&row, "version")?, span(&row, "rest")?))
}

pub(super) fn get<'r, T: Decode<'r, MySql> + Type<MySql>>(row: &'r MySqlRow, name: &str) -> Result<T> {
    row.try_get(name).map_err(failed)
}

/// Why a connection could not be opened.
pub(super) fn unopened(error: sqlx::Error) -> Error {
    let message = match (&error, code(&error)) {
        (_, Some(1045 | 1130 | 1251 | 1698 | 1820 | 1862 | 3118 | 4151)) => "MySQL refuses this user, password or host",
        (_, Some(1044 | 1049)) => "there is no such MySQL database, or this user may not use it",
        (sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_), _) => {
            "the store URL cannot be used as it is; a server that wants caching_sha2_password needs ssl-mode=REQUIRED or better"
        }
        _ if is_distrust(&error) => {
            "no TLS connection to MySQL; check ssl-mode, ssl-ca and the host name in the URL against its certificate"
        }
        _ => return failed(error),
    };
    Error::config(message).with_source(cause(error))
}

/// Whether TLS failed for a reason that stays, as a certificate that is not trusted or for another name. A server that
/// went away meanwhile is no such thing.
fn is_distrust(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(e) => e.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        _ => false,
    }
}

/// Why the tables and procedures could not be made or looked at.
pub(super) fn unmade(error: sqlx::Error) -> Error {
    match code(&error) {
        Some(1044 | 1142 | 1143 | 1227 | 1370 | 1419) => Error::config(
            "this MySQL user may not make or use the tables; grant SELECT, INSERT, UPDATE, DELETE, EXECUTE, CREATE, INDEX and CREATE ROUTINE on the database",
        )
        .with_source(cause(error)),
        _ => failed(error),
    }
}

/// Why a call failed.
pub(super) fn failed(error: sqlx::Error) -> Error {
    let (kind, message) = match (class(&error), code(&error)) {
        (None, _) if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_)) => {
            (ErrorKind::Internal, "MySQL gave an answer that makes no sense")
        }
        (None, _) => (ErrorKind::StoreUnavailable, "MySQL cannot be reached"),
        (_, Some(1290 | 1792 | 1836)) => {
            (ErrorKind::StoreUnavailable, "MySQL may only be read: it is a replica, or read_only is on")
        }
        (_, Some(1021 | 1037 | 1038 | 1040 | 1041 | 1114 | 1135 | 1203 | 1226)) => {
            (ErrorKind::StoreUnavailable, "MySQL is out of connections, memory or disk")
        }
        // Connections, transactions, what was killed, locks, modes: all of them pass.
        (Some("08" | "25" | "40" | "70" | "HY" | "XA"), _) => {
            (ErrorKind::StoreUnavailable, "MySQL cannot do this at the moment")
        }
        (Some("28" | "3D" | "42"), _) => {
            (ErrorKind::Config, "the tables of oncecode are missing, were changed, or may not be used")
        }
        _ => (ErrorKind::Internal, "MySQL refused a statement"),
    };
    let is_out = is_outage(&error);
    Error::new(kind, message).with_source(cause(error)).answered(!is_out)
}

pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Internal, "MySQL gave an answer that makes no sense")
}

/// What concerns the server or the connection rather than one statement.
pub(super) fn is_outage(error: &sqlx::Error) -> bool {
    matches!(class(error), None | Some("08")) || code(error) == Some(1927)
}

pub(super) fn is_deadlock(error: &sqlx::Error) -> bool {
    code(error) == Some(1213)
}

/// The server's own number for it.
pub(super) fn code(error: &sqlx::Error) -> Option<u16> {
    Some(database(error)?.number())
}

/// The first two characters of the SQLSTATE.
fn class(error: &sqlx::Error) -> Option<&str> {
    Some(database(error)?.code().and_then(|state| state.get(..2)).unwrap_or("HY"))
}

fn database(error: &sqlx::Error) -> Option<&MySqlDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

/// The driver's error, but of the server's only the numbers: its messages may quote rows.
fn cause(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match database(&error) {
        Some(e) => format!("{} ({})", e.number(), e.code().unwrap_or_default()).into(),
        None => error.into(),
    }
}
