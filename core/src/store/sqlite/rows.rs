//! Statements, and what their rows mean.

use std::time::Duration;

use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row, Type};

use super::connection::{Query, Sql, failed};
use crate::error::Result;
use crate::key::Key;
use crate::secret::Digest;
use crate::store::challenge::{Challenge, Record, Window, left, millis};
use crate::store::sql::{self, named};
use crate::store::{Entry, Gate, Hit};

/// How long rows stay readable for audit when nothing in them matters any more.
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Parameters are `$n`: the driver counts `?n` anew in every statement of a string.
pub(super) struct Statements {
    pub(super) load: Sql,
    pub(super) save_record: Sql,
    pub(super) save_count: Sql,
    pub(super) save_both: Sql,
    pub(super) peek: Sql,
    pub(super) get: Sql,
    pub(super) put: Sql,
    pub(super) put_absent: Sql,
    pub(super) put_version: Sql,
    pub(super) take: Sql,
    pub(super) purge_challenges: Sql,
    pub(super) purge_entries: Sql,
    pub(super) scan_challenges: Sql,
    pub(super) scan_entries: Sql,
    pub(super) total: Sql,
    pub(super) detach_challenge: Sql,
    pub(super) detach_entry: Sql,
    pub(super) detached_challenge: Sql,
    pub(super) detached_entry: Sql,
    pub(super) clear_challenge: Sql,
    pub(super) clear_entry: Sql,
    pub(super) save_restored: Sql,
    pub(super) forget_challenge: Sql,
    pub(super) forget_entry: Sql,
}

const RECORD: &str = "id, key_id, digest, sealed, attempts, max_attempts, c.expires_at, cooldown_until, issue_count, issue_ends_at, verify_count, verify_ends_at, failure_count, failure_ends_at";

/// One row always: the challenge `$1` and the counter `$2`, where they exist.
const LOAD: &str = r#"BEGIN IMMEDIATE; SELECT {record}, e.number, e.expires_at AS entry_expires_at FROM (SELECT 1)
LEFT JOIN "{prefix}challenges" c ON c.key = $1 LEFT JOIN "{prefix}entries" e ON e.key = $2"#;

const SAVE_COUNT: &str = r#"INSERT INTO "{prefix}entries" (key, number, expires_at, version) VALUES ($1, $2, $3, random())
ON CONFLICT DO UPDATE SET value = NULL, number = excluded.number, expires_at = excluded.expires_at, version = excluded.version;"#;

const SAVE_RECORD: &str = r#"INSERT INTO "{prefix}challenges" (
    key, id, key_id, digest, sealed, attempts, max_attempts, expires_at, cooldown_until, issue_count, issue_ends_at,
    verify_count, verify_ends_at, failure_count, failure_ends_at, purpose, created_at, verified_at, purge_at
) VALUES (
    $4, $5, $6, $7, $8, coalesce($9, 0), coalesce($10, 0), coalesce($11, 0), $12, $13, $14,
    $15, $16, $17, $18, coalesce($19, ''), coalesce($20, 0), $21, $22
) ON CONFLICT DO UPDATE SET
    id = excluded.id, key_id = excluded.key_id, digest = excluded.digest, sealed = excluded.sealed,
    attempts = coalesce($9, attempts), max_attempts = coalesce($10, max_attempts), expires_at = coalesce($11, expires_at),
    cooldown_until = excluded.cooldown_until, issue_count = excluded.issue_count, issue_ends_at = excluded.issue_ends_at,
    verify_count = excluded.verify_count, verify_ends_at = excluded.verify_ends_at,
    failure_count = excluded.failure_count, failure_ends_at = excluded.failure_ends_at,
    purpose = coalesce($19, purpose), created_at = coalesce($20, created_at), verified_at = coalesce($21, verified_at),
    purge_at = max(purge_at, excluded.purge_at);"#;

const PEEK: &str = r#"SELECT {record} FROM "{prefix}challenges" c WHERE key = $1"#;
const GET: &str = r#"SELECT value, number, version, expires_at FROM "{prefix}entries" WHERE key = $1"#;
const TAKE: &str = r#"DELETE FROM "{prefix}entries" WHERE key = $1 RETURNING value, number, version, expires_at"#;
const PUT: &str = r#"INSERT INTO "{prefix}entries" (key, value, number, expires_at, version) VALUES ($1, $2, $3, $4, random())
ON CONFLICT DO UPDATE SET value = $2, number = $3, expires_at = $4, version = excluded.version
WHERE {when} RETURNING 1"#;
const PUT_VERSION: &str = r#"UPDATE "{prefix}entries" SET value = $2, number = $3, expires_at = $4, version = random()
WHERE key = $1 AND expires_at > $5 AND version = $6 RETURNING 1"#;
const PURGE: &str = r#"DELETE FROM "{prefix}{table}" WHERE key IN
(SELECT key FROM "{prefix}{table}" WHERE {end} <= $1 ORDER BY {end} LIMIT $2)"#;

/// Keys are ASCII, so that `$1` to `$2` are all of a prefix. What is no longer live is for `purge`.
const SCAN_CHALLENGES: &str = r#"SELECT key, {record}, purpose, created_at, verified_at FROM "{prefix}challenges" c
WHERE key > $1 AND key < $2 ORDER BY key LIMIT $3"#;
const SCAN_ENTRIES: &str = r#"SELECT key, value, number, version, expires_at FROM "{prefix}entries"
WHERE key > $1 AND key < $2 ORDER BY key LIMIT $3"#;
const TOTAL: &str = r#"SELECT (SELECT count(*) FROM "{prefix}challenges" WHERE key > $1 AND key < $2)
    + (SELECT count(*) FROM "{prefix}entries" WHERE key > $1 AND key < $2) AS total"#;
/// When nothing in a row matters any more.
const ENDS: &str = "max(iif(id IS NULL, 0, c.expires_at), coalesce(cooldown_until, 0),
    iif(issue_count = 0, 0, coalesce(issue_ends_at, 0)), iif(verify_count = 0, 0, coalesce(verify_ends_at, 0)),
    iif(failure_count = 0, 0, coalesce(failure_ends_at, 0)))";
/// `$1` to `$2`, if any of it still matters at `$3`.
const DETACH_CHALLENGE: &str = r#"UPDATE OR IGNORE "{prefix}challenges" AS c SET key = $2 WHERE key = $1 AND {ends} > $3
RETURNING {own}, purpose, created_at, verified_at"#;
const DETACH_ENTRY: &str = r#"UPDATE OR IGNORE "{prefix}entries" SET key = $2 WHERE key = $1 AND expires_at > $3
RETURNING value, number, version, expires_at"#;
const DETACHED_CHALLENGE: &str =
    r#"SELECT {record}, purpose, created_at, verified_at FROM "{prefix}challenges" c WHERE key = $1"#;
const CLEAR_CHALLENGE: &str = r#"DELETE FROM "{prefix}challenges" AS c WHERE key = $1 AND {ends} <= $2 RETURNING 1"#;
const CLEAR_ENTRY: &str = r#"DELETE FROM "{prefix}entries" WHERE key = $1 AND expires_at <= $2 RETURNING 1"#;
const FORGET_CHALLENGE: &str =
    r#"DELETE FROM "{prefix}challenges" WHERE key = $1 AND id IS $2 AND attempts = coalesce($3, attempts) AND {still}"#;
/// Not if the mark `$4` says that it has come back `$5` times since.
const STILL: &str =
    r#"NOT EXISTS (SELECT 1 FROM "{prefix}entries" m WHERE m.key = $4 AND abs(m.number) >= $5 AND m.expires_at > $6)"#;
/// After the parameters of both others: the detached key, and the id that may wait there.
const END_WAITING: &str = r#"DELETE FROM "{prefix}challenges" WHERE key = $23 AND id = $24;"#;
const FORGET_ENTRY: &str =
    r#"DELETE FROM "{prefix}entries" WHERE key = $1 AND value IS $2 AND number IS $3 AND {still}"#;

impl Statements {
    pub(super) fn new(prefix: &str) -> Self {
        // `RETURNING` knows no aliases.
        let own = RECORD.replace("c.", "");
        let made = |sql: &str| {
            let sql = sql
                .replace("{still}", STILL)
                .replace("{record}", RECORD)
                .replace("{own}", &own)
                .replace("{ends}", ENDS);
            Sql::from(named(&sql, "", prefix))
        };
        let purge = |table, end| made(&PURGE.replace("{table}", table).replace("{end}", end));
        Self {
            load: made(LOAD),
            save_record: made(&format!("{SAVE_RECORD} COMMIT")),
            save_count: made(&format!("{SAVE_COUNT} COMMIT")),
            save_both: made(&format!("{SAVE_COUNT} {SAVE_RECORD} COMMIT")),
            peek: made(PEEK),
            get: made(GET),
            put: made(&PUT.replace("{when}", "true")),
            put_absent: made(&PUT.replace("{when}", "expires_at <= $5")),
            put_version: made(PUT_VERSION),
            take: made(TAKE),
            purge_challenges: purge("challenges", "purge_at"),
            purge_entries: purge("entries", "expires_at"),
            scan_challenges: made(SCAN_CHALLENGES),
            scan_entries: made(SCAN_ENTRIES),
            total: made(TOTAL),
            detach_challenge: made(DETACH_CHALLENGE),
            detach_entry: made(DETACH_ENTRY),
            detached_challenge: made(DETACHED_CHALLENGE),
            detached_entry: made(GET),
            clear_challenge: made(CLEAR_CHALLENGE),
            clear_entry: made(CLEAR_ENTRY),
            save_restored: made(&format!("{SAVE_COUNT} {SAVE_RECORD} {END_WAITING} COMMIT")),
            forget_challenge: made(FORGET_CHALLENGE),
            forget_entry: made(FORGET_ENTRY),
        }
    }
}

/// The record of a row, as of `now`. One in which nothing matters any more counts as none.
pub(super) fn read_record(row: &SqliteRow, now: u64) -> Result<Record> {
    let time = |name| Ok(get::<Option<i64>>(row, name)?.unwrap_or(0) as u64);
    let small = |name| Ok(get::<Option<i64>>(row, name)?.unwrap_or(0).clamp(0, 0xffff) as u16);
    let window = |count, ends| Ok(Window { count: small(count)?, ends: time(ends)? });
    let array = |name| get::<Option<Vec<u8>>>(row, name);
    let challenge = match (array("id")?.map(TryInto::try_into), array("digest")?.map(TryInto::try_into)) {
        (Some(Ok(id)), Some(Ok(bytes))) => Some(Challenge {
            id,
            digest: Digest { key: get::<Option<i64>>(row, "key_id")?.unwrap_or(0) as u32, bytes },
            expires: time("expires_at")?,
            attempts: small("attempts")?,
            max_attempts: small("max_attempts")?,
            sealed: array("sealed")?.unwrap_or_default(),
        }),
        _ => None,
    };
    let record = Record {
        challenge,
        cooldown_until: time("cooldown_until")?,
        issues: window("issue_count", "issue_ends_at")?,
        verifies: window("verify_count", "verify_ends_at")?,
        failures: window("failure_count", "failure_ends_at")?,
    };
    Ok(if record.life(now).is_zero() { Record::default() } else { record })
}

/// What a write means for the columns that no rule reads.
#[derive(Default)]
pub(super) struct Change<'a> {
    /// The purpose of a new challenge, and when it was issued.
    pub(super) issued: Option<(&'a str, u64)>,
    pub(super) verified: Option<u64>,
}

/// Binds `$4` and on.
pub(super) fn bind_record<'q>(
    save: Query<'q>,
    key: &'q Key,
    record: &'q Record,
    change: &Change<'q>,
    now: u64,
) -> Query<'q> {
    let challenge = record.challenge.as_ref();
    let time = |ms: u64| (ms > 0).then_some(ms as i64);
    let mut save = save
        .bind(key.as_str())
        .bind(challenge.map(|c| &c.id[..]))
        .bind(challenge.map(|c| i64::from(c.digest.key)))
        .bind(challenge.map(|c| &c.digest.bytes[..]))
        .bind(challenge.map(|c| &c.sealed[..]))
        .bind(challenge.map(|c| i64::from(c.attempts)))
        .bind(challenge.map(|c| i64::from(c.max_attempts)))
        .bind(challenge.map(|c| c.expires as i64))
        .bind(time(record.cooldown_until));
    for window in [record.issues, record.verifies, record.failures] {
        save = save.bind(i64::from(window.count)).bind(time(window.ends));
    }
    save.bind(change.issued.map(|(purpose, _)| purpose))
        .bind(change.issued.map(|(_, at)| at as i64))
        .bind(change.verified.map(|at| at as i64))
        .bind((now + millis(record.life(now)) + millis(RETENTION)) as i64)
}

/// A counter as it was found.
pub(super) struct Counter {
    /// What is no number counts as the greatest.
    pub(super) number: i64,
    pub(super) left: Option<Duration>,
}

impl Counter {
    pub(super) fn read(row: &SqliteRow, now: u64) -> Result<Self> {
        let ends = get::<Option<i64>>(row, "entry_expires_at")?;
        let left = ends.map(|ends| left(ends as u64, now)).filter(|left| !left.is_zero());
        let number = get::<Option<i64>>(row, "number")?.unwrap_or(i64::MAX);
        Ok(Self { number: if left.is_some() { number } else { 0 }, left })
    }

    pub(super) fn used(&self) -> u32 {
        u32::try_from(self.number).unwrap_or(u32::MAX)
    }

    pub(super) fn hit(&self, gate: &Gate, cost: u32) -> Hit {
        Hit::judge(&gate.limit, self.used(), cost, self.left.unwrap_or(gate.limit.window))
    }
}

pub(super) fn read_entry(row: &SqliteRow, now: u64) -> Result<Option<Entry>> {
    let left = left(get::<i64>(row, "expires_at")? as u64, now);
    Ok(sql::entry(get(row, "value")?, get(row, "number")?, get(row, "version")?, left))
}

pub(super) fn get<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(row: &'r SqliteRow, name: &str) -> Result<T> {
    row.try_get(name).map_err(failed)
}
