//! A statement with its values, said in one of two ways.
//!
//! Usually it is prepared once per connection, under a name. Behind a pooler that gives each transaction another
//! connection, a name means nothing there or, worse, another statement; and an unnamed one takes this driver two trips,
//! which may end at two servers. So there the values stand in the text, as literals: one message, one trip.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Postgres, Type, query_with, raw_sql};

use super::rows::unexpected;
use super::schema::Place;
use crate::error::Result;
use crate::store::challenge::millis;

/// Longer spans would leave the range of the server's times.
const LONGEST_MS: u64 = 1000 * 365 * 24 * 60 * 60 * 1000;

/// What is said, with `$1` and so on where values belong.
pub(super) struct Statement {
    whole: Arc<str>,
    /// The text before each value with the value's number, for literals.
    parts: Option<Vec<(String, usize)>>,
    end: String,
}

impl Statement {
    pub(super) fn new(sql: &str, place: &Place) -> Self {
        let whole = Arc::from(place.named(sql));
        if !place.pooled {
            return Self { whole, parts: None, end: String::new() };
        }
        // A session's settings would stay behind for whoever has the connection next; this ends with the statement.
        let first = if place.strict { "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; " } else { "" };
        let (mut parts, mut rest, mut text) = (Vec::new(), sql, first.to_owned());
        while let Some((before, after)) = rest.split_once('$') {
            let (number, after) = after.split_at(after.bytes().take_while(u8::is_ascii_digit).count());
            // Names only now: they may hold a dollar.
            text.push_str(&place.named(before));
            parts.push((std::mem::take(&mut text), number.parse().unwrap_or(0)));
            rest = after;
        }
        Self { whole, parts: Some(parts), end: text + &place.named(rest) }
    }
}

/// A statement and the values for it.
pub(super) struct Query<'q> {
    statement: &'q Statement,
    values: Vec<Value<'q>>,
}

pub(super) fn query(statement: &Statement) -> Query<'_> {
    Query { statement, values: Vec::with_capacity(16) }
}

impl<'q> Query<'q> {
    pub(super) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// As it will be said, as often as need be.
    pub(super) fn said(&self) -> Result<Said> {
        match &self.statement.parts {
            None => {
                let mut arguments = PgArguments::default();
                for value in &self.values {
                    value.bind(&mut arguments)?;
                }
                Ok(Said::Named(Arc::clone(&self.statement.whole), arguments))
            }
            Some(parts) => {
                let mut text = String::with_capacity(1024);
                for (before, number) in parts {
                    text.push_str(before);
                    let value = number.checked_sub(1).and_then(|index| self.values.get(index));
                    value.ok_or_else(unexpected)?.write(&mut text);
                }
                text.push_str(&self.statement.end);
                Ok(Said::Literal(text.into()))
            }
        }
    }
}

/// One of the two ways.
pub(super) enum Said {
    Named(Arc<str>, PgArguments),
    Literal(Arc<str>),
}

impl Said {
    /// One round trip, at most one row.
    pub(super) async fn fetch(&self, connection: &mut PgConnection) -> sqlx::Result<Option<PgRow>> {
        match self {
            Said::Named(sql, arguments) => {
                query_with(AssertSqlSafe(Arc::clone(sql)), arguments.clone()).fetch_optional(connection).await
            }
            Said::Literal(sql) => raw_sql(AssertSqlSafe(Arc::clone(sql))).fetch_optional(connection).await,
        }
    }

    /// All rows.
    pub(super) async fn fetch_all(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<PgRow>> {
        match self {
            Said::Named(sql, arguments) => {
                query_with(AssertSqlSafe(Arc::clone(sql)), arguments.clone()).fetch_all(connection).await
            }
            Said::Literal(sql) => raw_sql(AssertSqlSafe(Arc::clone(sql))).fetch_all(connection).await,
        }
    }
}

/// A value of a statement; what may be absent is NULL then.
pub(super) enum Value<'q> {
    Text(Option<&'q str>),
    Bytes(Option<&'q [u8]>),
    Number(Option<i64>),
    /// Where a function wants `integer`.
    Small(i32),
    Bool(bool),
    Span(Option<Duration>),
    Numbers(Vec<i64>),
    ManyBytes(Vec<&'q [u8]>),
}

impl Value<'_> {
    fn bind(&self, arguments: &mut PgArguments) -> Result<()> {
        match self {
            Value::Text(text) => add(arguments, *text),
            Value::Bytes(bytes) => add(arguments, *bytes),
            Value::Number(number) => add(arguments, *number),
            Value::Small(number) => add(arguments, *number),
            Value::Bool(truth) => add(arguments, *truth),
            Value::Span(span) => add(arguments, span.map(interval)),
            Value::Numbers(numbers) => add(arguments, numbers),
            Value::ManyBytes(many) => add(arguments, many),
        }
    }

    /// Writing to a string cannot fail.
    fn write(&self, sql: &mut String) {
        match self {
            Value::Text(Some(text)) => write_text(text, sql),
            Value::Bytes(Some(bytes)) => write_bytes(bytes, sql),
            Value::Number(Some(number)) => _ = write!(sql, "({number})::bigint"),
            Value::Small(number) => _ = write!(sql, "({number})"),
            Value::Bool(truth) => _ = write!(sql, "{truth}"),
            Value::Span(Some(span)) => _ = write!(sql, "'{} milliseconds'::interval", capped(*span)),
            Value::Numbers(numbers) => write_array(numbers, "bigint", |number, sql| _ = write!(sql, "({number})"), sql),
            Value::ManyBytes(many) => write_array(many, "bytea", |bytes, sql| write_bytes(bytes, sql), sql),
            Value::Text(None) => sql.push_str("NULL::text"),
            Value::Bytes(None) => sql.push_str("NULL::bytea"),
            Value::Number(None) => sql.push_str("NULL::bigint"),
            Value::Span(None) => sql.push_str("NULL::interval"),
        }
    }
}

fn add<'t, T: Encode<'t, Postgres> + Type<Postgres>>(arguments: &mut PgArguments, value: T) -> Result<()> {
    arguments.add(value).map_err(|_| unexpected())
}

/// `E` means the same whatever `standard_conforming_strings` is. What is not plain goes by its bytes, so that nothing can
/// end the literal, or the message, before its time.
pub(super) fn write_text(text: &str, sql: &mut String) {
    sql.push_str("E'");
    for byte in text.bytes() {
        match byte {
            b'\'' | b'\\' | 0..0x20 | 0x7f.. => _ = write!(sql, "\\{byte:03o}"),
            plain => sql.push(char::from(plain)),
        }
    }
    sql.push('\'');
}

fn write_bytes(bytes: &[u8], sql: &mut String) {
    sql.push_str("E'\\\\x");
    for byte in bytes {
        _ = write!(sql, "{byte:02x}");
    }
    sql.push_str("'::bytea");
}

fn write_array<T>(items: &[T], of: &str, write_one: impl Fn(&T, &mut String), sql: &mut String) {
    sql.push_str("ARRAY[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            sql.push(',');
        }
        write_one(item, sql);
    }
    _ = write!(sql, "]::{of}[]");
}

fn interval(span: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: capped(span) as i64 * 1000 }
}

fn capped(span: Duration) -> u64 {
    millis(span).min(LONGEST_MS)
}

macro_rules! values {
    ($($type:ty => $value:expr;)+) => {
        $(impl<'q> From<$type> for Value<'q> {
            fn from(given: $type) -> Self {
                ($value)(given)
            }
        })+
    };
}

values! {
    &'q str => |text| Value::Text(Some(text));
    Option<&'q str> => Value::Text;
    &'q [u8] => |bytes| Value::Bytes(Some(bytes));
    Option<&'q [u8]> => Value::Bytes;
    i64 => |number| Value::Number(Some(number));
    Option<i64> => Value::Number;
    i32 => Value::Small;
    bool => Value::Bool;
    Duration => |span| Value::Span(Some(span));
    Option<Duration> => Value::Span;
    Vec<i64> => Value::Numbers;
    Vec<&'q [u8]> => Value::ManyBytes;
}
