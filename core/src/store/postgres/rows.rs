//! What rows mean, and what errors mean.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type};

use crate::error::{Error, ErrorKind, Result};
use crate::store::Entry;
use crate::store::sql;

/// A span of time in whole milliseconds; none and negative ones are zero.
pub(super) fn span(row: &PgRow, name: &str) -> Result<Duration> {
    Ok(Duration::from_millis(get::<Option<i64>>(row, name)?.unwrap_or(0).max(0) as u64))
}

pub(super) fn number(row: &PgRow, name: &str) -> Result<u32> {
    Ok(get::<i64>(row, name)?.clamp(0, i64::from(u32::MAX)) as u32)
}

pub(super) fn read_id(row: &PgRow, name: &str) -> Result<[u8; 16]> {
    get::<Vec<u8>>(row, name)?.try_into().map_err(|_| unexpected())
}

pub(super) fn read_entry(row: Option<PgRow>) -> Result<Option<Entry>> {
    let Some(row) = row else { return Ok(None) };
    Ok(sql::entry(get(&row, "value")?, get(&row, "number")?, get(&row, "version")?, span(&row, "rest")?))
}

pub(super) fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(row: &'r PgRow, name: &str) -> Result<T> {
    row.try_get(name).map_err(failed)
}

/// Why a connection could not be opened or the tables not be made.
pub(super) fn unopened(error: sqlx::Error) -> Error {
    let said = error.as_database_error().map(|e| e.message().to_owned()).unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let message = match (&error, code(&error).as_deref()) {
        // A pooler's refusals are told apart by words alone.
        (_, Some("08P01")) if says(&["authentication failed", "no such user"]) => {
            "PgBouncer refuses this user or password"
        }
        (_, Some("08P01")) if says(&["no such database"]) => "PgBouncer knows no such database",
        (_, Some("08P01")) if says(&["startup parameter"]) => {
            "PgBouncer refuses a parameter of the store URL; take options out of it"
        }
        (_, Some("28P01" | "28000")) => "PostgreSQL refuses this user or password",
        (_, Some("3D000")) => "there is no such PostgreSQL database",
        (_, Some("42501")) => {
            "this PostgreSQL user may not make or use the tables; grant CREATE on the schema, or use another schema"
        }
        (sqlx::Error::Io(e), _) if e.to_string().contains("certificate") => {
            "the PostgreSQL server's certificate is not trusted, or is for another name than the store URL's: name its \
             authority's file by sslrootcert=, and the server as its certificate does"
        }
        (sqlx::Error::Tls(_), _) => "no TLS connection to PostgreSQL; check sslmode and certificates in the URL",
        (sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_), _) => "the store URL cannot be used as it is",
        _ => return failed(error),
    };
    Error::config(message).with_source(cause(error))
}

/// Why a call failed.
pub(super) fn failed(error: sqlx::Error) -> Error {
    let (kind, message) = match class(&error).as_deref() {
        None if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_)) => {
            (ErrorKind::Internal, "PostgreSQL gave an answer that makes no sense")
        }
        None => (ErrorKind::StoreUnavailable, "PostgreSQL cannot be reached"),
        _ if code(&error).as_deref() == Some("25006") => (
            ErrorKind::StoreUnavailable,
            "PostgreSQL may only be read: it is a standby, or default_transaction_read_only is on",
        ),
        Some("53") => (ErrorKind::StoreUnavailable, "PostgreSQL is out of connections, memory or disk"),
        // A name that is known here and not there, or the other way round.
        _ if matches!(code(&error).as_deref(), Some("26000" | "42P05")) => (
            ErrorKind::Config,
            "a pooler gives each transaction another connection; take pgbouncer=false out of the store URL",
        ),
        // Connections, resources, operators, state, the system, conflicts: all of them pass.
        Some("08" | "25" | "40" | "55" | "57" | "58" | "XX") => {
            (ErrorKind::StoreUnavailable, "PostgreSQL cannot do this at the moment")
        }
        Some("3D" | "3F" | "42" | "28") => {
            (ErrorKind::Config, "the tables of oncecode are missing, were changed, or may not be used")
        }
        Some(_) => (ErrorKind::Internal, "PostgreSQL refused a statement"),
    };
    // On a full disk what is there can be read, and changed where there is room.
    let is_full = code(&error).as_deref() == Some("53100");
    let is_out = !is_full && matches!(class(&error).as_deref(), None | Some("08" | "53" | "57" | "58" | "XX"));
    Error::new(kind, message).with_source(cause(error)).answered(!is_out)
}

pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Internal, "PostgreSQL gave an answer that makes no sense")
}

/// What concerns the server rather than one statement.
pub(super) fn is_outage(error: &sqlx::Error) -> bool {
    matches!(class(error).as_deref(), None | Some("08" | "25" | "57"))
}

/// A pooler refuses a session that asks for what it does not know.
pub(super) fn is_parameter_unknown(error: &sqlx::Error) -> bool {
    let said = error.as_database_error().map(|e| e.message());
    said.is_some_and(|said| said.contains("startup parameter"))
}

/// `pg_terminate_backend` or a fast shutdown.
pub(super) fn is_terminated(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("57P01")
}

pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

fn class(error: &sqlx::Error) -> Option<String> {
    code(error).map(|code| code.chars().take(2).collect())
}

/// The driver's error, but of the server's only code and message: its details may quote rows.
fn cause(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match (code(&error), &error) {
        (Some(code), sqlx::Error::Database(e)) => format!("{code}: {}", e.message()).into(),
        _ => error.into(),
    }
}
