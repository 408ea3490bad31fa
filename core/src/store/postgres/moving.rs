//! What is needed to move to another store and from there. A thing that leaves has its row renamed.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::PostgresStore;
use super::rows::{failed, get, is_outage, read_entry, unexpected};
use super::statement::{Query, Statement, query};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Found, Key};
use crate::secret::Digest;
use crate::store::challenge::{Challenge, Record, Window, left, millis};
use crate::store::sql::{self, Columns};
use crate::store::{Audit, Item, Page, Restored, item};

pub(super) struct Statements {
    pub(super) known: Statement,
    scan_challenges: Statement,
    scan_entries: Statement,
    total: Statement,
    detach_challenge: Statement,
    detach_entry: Statement,
    detached_challenge: Statement,
    detached_entry: Statement,
    clear_challenge: Statement,
    clear_entry: Statement,
    end_waiting: Statement,
    forget_challenge: Statement,
    forget_entry: Statement,
    lock: Statement,
    load: Statement,
    save: Statement,
    mark: Statement,
}

/// Times in milliseconds since the epoch, `t` being now.
const RECORD: &str = r#"c.id, c.key_id, c.digest, c.sealed, c.attempts, c.max_attempts, c.purpose,
    c.issue_count, c.verify_count, c.failure_count, {ms:{now}} AS t, {ms:c.created_at} AS created_at,
    {ms:c.expires_at} AS expires_at, {ms:c.verified_at} AS verified_at, {ms:c.cooldown_until} AS cooldown_until,
    {ms:c.issue_ends_at} AS issue_ends_at, {ms:c.verify_ends_at} AS verify_ends_at, {ms:c.failure_ends_at} AS failure_ends_at"#;
/// Whether anything in a row still matters.
const LIVE: &str = r#"(c.id IS NOT NULL AND c.expires_at > {now} OR c.cooldown_until > {now} OR c.issue_count > 0 AND c.issue_ends_at > {now}
    OR c.verify_count > 0 AND c.verify_ends_at > {now} OR c.failure_count > 0 AND c.failure_ends_at > {now})"#;

const KNOWN: &str = r#"SELECT 1 FROM {schema}."{prefix}challenges" c WHERE c.key = $1 AND {live}"#;
/// Keys have a collation of bytes, so that `$1` to `$2` are all of a prefix.
const SCAN_CHALLENGES: &str = r#"SELECT c.key, {record} FROM {schema}."{prefix}challenges" c
WHERE c.key > $1 AND c.key < $2 ORDER BY c.key LIMIT $3"#;
const SCAN_ENTRIES: &str = r#"SELECT e.key, e.value, e.number, e.version, {ms}e.expires_at - {now}{/ms} AS rest FROM {schema}."{prefix}entries" e
WHERE e.key > $1 AND e.key < $2 ORDER BY e.key LIMIT $3"#;
const TOTAL: &str = r#"SELECT (SELECT count(*) FROM {schema}."{prefix}challenges" WHERE key > $1 AND key < $2)
    + (SELECT count(*) FROM {schema}."{prefix}entries" WHERE key > $1 AND key < $2)"#;
/// `$1` to `$2`, unless something waits there.
const DETACH_CHALLENGE: &str = r#"UPDATE {schema}."{prefix}challenges" c SET key = $2 WHERE c.key = $1 AND {live}
AND NOT EXISTS (SELECT 1 FROM {schema}."{prefix}challenges" o WHERE o.key = $2) RETURNING {record}"#;
const DETACH_ENTRY: &str = r#"UPDATE {schema}."{prefix}entries" e SET key = $2 WHERE e.key = $1 AND e.expires_at > {now}
AND NOT EXISTS (SELECT 1 FROM {schema}."{prefix}entries" o WHERE o.key = $2)
RETURNING e.value, e.number, e.version, {ms}e.expires_at - {now}{/ms} AS rest"#;
const DETACHED_CHALLENGE: &str = r#"SELECT {record} FROM {schema}."{prefix}challenges" c WHERE c.key = $1"#;
const DETACHED_ENTRY: &str = r#"SELECT e.value, e.number, e.version, {ms}e.expires_at - {now}{/ms} AS rest FROM {schema}."{prefix}entries" e WHERE e.key = $1"#;
const CLEAR_CHALLENGE: &str =
    r#"DELETE FROM {schema}."{prefix}challenges" c WHERE c.key = $1 AND {live} IS NOT TRUE RETURNING 1"#;
const CLEAR_ENTRY: &str =
    r#"DELETE FROM {schema}."{prefix}entries" e WHERE e.key = $1 AND e.expires_at <= {now} RETURNING 1"#;
const FORGET_CHALLENGE: &str = r#"DELETE FROM {schema}."{prefix}challenges"
WHERE key = $1 AND id IS NOT DISTINCT FROM $2 AND attempts = coalesce($3, attempts) AND {still}"#;
/// Not if the mark `$4` says that it has come back `$5` times since. Whoever sees what waits since then sees the mark, too.
const STILL: &str = r#"NOT EXISTS (
    SELECT 1 FROM {schema}."{prefix}entries" m WHERE m.key = $4 AND abs(m.number) >= $5 AND m.expires_at > {now})"#;
const END_WAITING: &str = r#"DELETE FROM {schema}."{prefix}challenges" WHERE key = $1 AND id = $2"#;
const FORGET_ENTRY: &str = r#"DELETE FROM {schema}."{prefix}entries"
WHERE key = $1 AND value IS NOT DISTINCT FROM $2 AND number IS NOT DISTINCT FROM $3 AND {still}"#;
const LOCK: &str = r#"SELECT 1 FROM {schema}."{prefix}challenges" c WHERE c.key = $1 FOR UPDATE"#;
/// One row always.
const LOAD: &str = r#"SELECT {record}, c.key IS NOT NULL AS found, e.number AS seen FROM (SELECT 1) one
LEFT JOIN {schema}."{prefix}challenges" c ON c.key = $1 LEFT JOIN {schema}."{prefix}entries" e ON e.key = $2 AND e.expires_at > {now}"#;
/// `$2` whether it was there. Purpose and times of the audit columns are changed where they are given.
const SAVE: &str = r#"INSERT INTO {schema}."{prefix}challenges" AS c (
    key, id, key_id, digest, sealed, attempts, max_attempts, expires_at, cooldown_until, issue_count, issue_ends_at,
    verify_count, verify_ends_at, failure_count, failure_ends_at, purpose, created_at, verified_at, purge_at
) VALUES ($1, $3, $4, $5, $6, coalesce($7, 0), coalesce($8, 0), coalesce({at:$9}, {now}), {at:$10}, $11, {at:$12}, $13, {at:$14},
    $15, {at:$16}, coalesce($17, ''), coalesce({at:$18}, {now}), {at:$19}, {now} + $20 + interval '24 hours')
ON CONFLICT (key) DO UPDATE SET
    id = $3, key_id = $4, digest = $5, sealed = $6, attempts = coalesce($7, c.attempts),
    max_attempts = coalesce($8, c.max_attempts), expires_at = coalesce({at:$9}, c.expires_at),
    cooldown_until = excluded.cooldown_until, issue_count = $11, issue_ends_at = excluded.issue_ends_at,
    verify_count = $13, verify_ends_at = excluded.verify_ends_at, failure_count = $15,
    failure_ends_at = excluded.failure_ends_at, purpose = coalesce($17, c.purpose),
    created_at = coalesce({at:$18}, c.created_at), verified_at = coalesce({at:$19}, c.verified_at),
    purge_at = greatest(c.purge_at, excluded.purge_at)
WHERE $2 RETURNING 1"#;
const MARK: &str = r#"INSERT INTO {schema}."{prefix}entries" AS e (key, number, expires_at, version)
VALUES ($1, $2, {now} + $3, (random() * 1e18)::bigint)
ON CONFLICT (key) DO UPDATE SET value = NULL, number = $2, expires_at = excluded.expires_at, version = excluded.version
WHERE e.expires_at <= {now} OR e.number < $2 RETURNING 1"#;

impl Statements {
    pub(super) fn new(made: impl Fn(&str) -> Statement) -> Self {
        let made = |sql: &str| {
            made(&spelled(&sql.replace("{still}", STILL).replace("{record}", RECORD).replace("{live}", LIVE)))
        };
        Self {
            known: made(KNOWN),
            scan_challenges: made(SCAN_CHALLENGES),
            scan_entries: made(SCAN_ENTRIES),
            total: made(TOTAL),
            detach_challenge: made(DETACH_CHALLENGE),
            detach_entry: made(DETACH_ENTRY),
            detached_challenge: made(DETACHED_CHALLENGE),
            detached_entry: made(DETACHED_ENTRY),
            clear_challenge: made(CLEAR_CHALLENGE),
            clear_entry: made(CLEAR_ENTRY),
            end_waiting: made(END_WAITING),
            forget_challenge: made(FORGET_CHALLENGE),
            forget_entry: made(FORGET_ENTRY),
            lock: made(LOCK),
            load: made(LOAD),
            save: made(SAVE),
            mark: made(MARK),
        }
    }
}

/// Writes out `{ms:…}`, a time as milliseconds, and `{at:…}`, the way back.
fn spelled(sql: &str) -> String {
    let sql = sql.replace("{ms:{now}}", "{ms:clock_timestamp()}");
    let mut out = String::with_capacity(sql.len() * 2);
    let mut rest = sql.as_str();
    while let Some(at) = rest.find("{ms:").into_iter().chain(rest.find("{at:")).min() {
        out.push_str(&rest[..at]);
        let (inner, after) = rest[at + 4..].split_once('}').unwrap_or_default();
        match rest[at..].starts_with("{ms:") {
            true => out.push_str(&format!("floor(extract(epoch FROM {inner}) * 1000)::bigint")),
            false => out.push_str(&format!("(timestamptz 'epoch' + {inner}::bigint * interval '1 millisecond')")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The cursor is a table's letter and the last key, `c` before `e`.
pub(super) async fn scan(store: &PostgresStore, prefix: &str, cursor: &str, limit: u32) -> Result<Page> {
    let (table, after) = sql::cursor(cursor, prefix)?;
    let (sql, end) = (&store.sql.moving, sql::after(prefix));
    let mut page = Page::default();
    if cursor.is_empty() {
        let row = store.answer(query(&sql.total).bind(prefix).bind(end.as_str())).await?;
        page.total = Some(row.try_get::<i64, _>(0).map_err(failed)? as u64);
    }
    let statement = if table == 'c' { &sql.scan_challenges } else { &sql.scan_entries };
    let mut lease = store.pool.lease().await?;
    let scan = query(statement).bind(after).bind(end.as_str()).bind(i64::from(limit.max(1))).said()?;
    let rows = match scan.fetch_all(lease.driver()?).await {
        Ok(rows) => rows,
        Err(e) => {
            lease.broken(is_outage(&e));
            return Err(failed(e));
        }
    };
    lease.done();
    let mut last = None;
    let full = rows.len() >= limit.max(1) as usize;
    for row in rows {
        let name: String = get(&row, "key")?;
        match Found::read(&name) {
            Some(Found::Mark) => {}
            None => page.unreadable += 1,
            Some(Found::Own(key)) => page.push(read(row, key, table)?, false),
            Some(Found::Detached(key)) => page.push(read(row, key, table)?, true),
        }
        last = Some(name);
    }
    page.cursor = sql::next(table, last.filter(|_| full));
    Ok(page)
}

pub(super) async fn detach(store: &PostgresStore, key: &Key, detached_only: bool) -> Result<Option<Item>> {
    let (sql, detached) = (&store.sql.moving, key.detached());
    let (waiting, leave, clear, table) = match key.is_challenge() {
        true => (&sql.detached_challenge, &sql.detach_challenge, &sql.clear_challenge, 'c'),
        false => (&sql.detached_entry, &sql.detach_entry, &sql.clear_entry, 'e'),
    };
    loop {
        if !detached_only {
            match store.ask(query(leave).bind(key.as_str()).bind(detached.as_str())).await {
                Ok(Some(row)) => return read(row, key.clone(), table),
                Ok(None) => {}
                // Another mover was first by a moment; what it detached is there now.
                Err(e) if is_duplicate(&e) => {}
                Err(e) => return Err(e),
            }
        }
        let Some(row) = store.ask(query(waiting).bind(detached.as_str())).await? else { return Ok(None) };
        if let Some(item) = read(row, key.clone(), table)? {
            return Ok(Some(item));
        }
        // What nobody brought to its end in its life is in the way.
        let cleared = store.ask(query(clear).bind(detached.as_str())).await?.is_some();
        if detached_only || !cleared {
            return Ok(None);
        }
    }
}

pub(super) async fn forget(store: &PostgresStore, item: &Item) -> Result<()> {
    let (sql, detached) = (&store.sql.moving, item.key.detached());
    let challenge = item.record().and_then(|(record, _)| record.challenge);
    let columns = Columns::of(item.bytes());
    let forget = match item.key.is_challenge() {
        true => query(&sql.forget_challenge)
            .bind(detached.as_str())
            .bind(challenge.as_ref().map(|c| &c.id[..]))
            .bind(challenge.as_ref().map(|c| i64::from(c.attempts))),
        false => query(&sql.forget_entry).bind(detached.as_str()).bind(columns.value).bind(columns.number),
    };
    let mark = item.mark();
    let forget = forget.bind(mark.as_ref().map(Key::as_str)).bind(item.moves.max(1) as i64);
    store.ask(forget).await.map(|_| ())
}

/// One transaction, repeated when a row appears that was not there to be locked.
pub(super) async fn restore(store: &PostgresStore, item: &Item) -> Result<Restored> {
    if !item.key.is_challenge() {
        return item::restore(store, item).await;
    }
    for _ in 0..100 {
        if let Some(answer) = try_restore(store, item).await? {
            return Ok(answer);
        }
    }
    Err(Error::new(ErrorKind::StoreUnavailable, "too many callers changed the same entry at once"))
}

async fn try_restore(store: &PostgresStore, item: &Item) -> Result<Option<Restored>> {
    let Some((theirs, then)) = item.record() else { return Ok(Some(Restored::Expired)) };
    let (sql, mark, detached) = (&store.sql.moving, item.mark(), item.key.detached());
    let id = theirs.challenge.as_ref().map(|c| c.id);
    let mut lease = store.pool.lease().await?;
    let mut transaction = lease.driver()?.begin().await.map_err(failed)?;
    // Whoever changes the row meanwhile waits for us, or we for them.
    ask(&mut transaction, query(&sql.lock).bind(item.key.as_str())).await?;
    let row = query(&sql.load).bind(item.key.as_str()).bind(mark.as_ref().map(Key::as_str));
    let row = ask(&mut transaction, row).await?.ok_or_else(unexpected)?;
    let (found, now) = (get::<bool>(&row, "found")?, get::<i64>(&row, "t")? as u64);
    let seen = get::<Option<i64>>(&row, "seen")?.unwrap_or(0).max(0) as u64;
    let known = mark.is_some() && seen >= item.moves.max(1);
    if known || item.left().is_zero() {
        transaction.rollback().await.map_err(failed)?;
        lease.done();
        return Ok(Some(if known { Restored::Known } else { Restored::Expired }));
    }
    let mut record = read_record(&row)?;
    let own = record.challenge.as_ref().map(|c| c.id);
    record.absorb(now, theirs, then);
    let is_new = own.is_none() || record.challenge.as_ref().map(|c| c.id) != own;
    let audit = item.audit.as_ref().filter(|_| is_new);
    let challenge = record.challenge.as_ref();
    let time = |ms: u64| (ms > 0).then_some(ms as i64);
    let mut save = query(&sql.save)
        .bind(item.key.as_str())
        .bind(found)
        .bind(challenge.map(|c| &c.id[..]))
        .bind(challenge.map(|c| i64::from(c.digest.key)))
        .bind(challenge.map(|c| &c.digest.bytes[..]))
        .bind(challenge.map(|c| &c.sealed[..]))
        .bind(challenge.map(|c| i64::from(c.attempts)))
        .bind(challenge.map(|c| i64::from(c.max_attempts)))
        .bind(challenge.map(|c| c.expires as i64))
        .bind(time(record.cooldown_until));
    for window in [record.issues, record.verifies, record.failures] {
        save = save.bind(i32::from(window.count)).bind(time(window.ends));
    }
    let save = save
        .bind(audit.map(|a| a.purpose.as_str()))
        .bind(audit.map(|a| now.saturating_sub(millis(a.age)) as i64))
        .bind(audit.and_then(|a| a.verified).map(|ago| now.saturating_sub(millis(ago)) as i64))
        .bind(record.life(now));
    let mut written = ask(&mut transaction, save).await?.is_some();
    if let Some(mark) = mark.as_ref().filter(|_| written) {
        let mark = query(&sql.mark).bind(mark.as_str()).bind(item.moves.max(1) as i64).bind(item.mark_life());
        written = ask(&mut transaction, mark).await?.is_some();
        let waiting = query(&sql.end_waiting).bind(detached.as_str()).bind(id.as_ref().map(|id| &id[..]));
        ask(&mut transaction, waiting).await?;
    }
    match written {
        true => transaction.commit().await.map_err(failed)?,
        false => transaction.rollback().await.map_err(failed)?,
    }
    lease.done();
    Ok(written.then_some(Restored::Arrived))
}

async fn ask(connection: &mut PgConnection, query: Query<'_>) -> Result<Option<PgRow>> {
    query.said()?.fetch(connection).await.map_err(failed)
}

fn read(row: PgRow, key: Key, table: char) -> Result<Option<Item>> {
    if table == 'e' {
        return Ok(read_entry(Some(row))?.and_then(|found| Item::entry(key, found.value, found.ttl)));
    }
    let now = get::<i64>(&row, "t")? as u64;
    let since = |at: i64| left(now, at.max(0) as u64);
    let audit = Audit {
        purpose: get(&row, "purpose")?,
        age: since(get(&row, "created_at")?),
        verified: get::<Option<i64>>(&row, "verified_at")?.map(since),
    };
    Ok(Item::challenge(key, &read_record(&row)?, now, Some(audit)))
}

/// An absent row is an empty record.
fn read_record(row: &PgRow) -> Result<Record> {
    let time = |name| Ok::<_, Error>(get::<Option<i64>>(row, name)?.unwrap_or(0).max(0) as u64);
    let small = |name| Ok::<_, Error>(get::<Option<i32>>(row, name)?.unwrap_or(0).clamp(0, 0xffff) as u16);
    let window = |count, ends| Ok::<_, Error>(Window { count: small(count)?, ends: time(ends)? });
    let array = |name| get::<Option<Vec<u8>>>(row, name);
    let challenge = match (array("id")?, array("digest")?) {
        (Some(id), Some(digest)) => Some(Challenge {
            id: id.try_into().map_err(|_| unexpected())?,
            digest: Digest {
                key: get::<Option<i64>>(row, "key_id")?.unwrap_or(0) as u32,
                bytes: digest.try_into().map_err(|_| unexpected())?,
            },
            expires: time("expires_at")?,
            attempts: small("attempts")?,
            max_attempts: small("max_attempts")?,
            sealed: array("sealed")?.unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(Record {
        challenge,
        cooldown_until: time("cooldown_until")?,
        issues: window("issue_count", "issue_ends_at")?,
        verifies: window("verify_count", "verify_ends_at")?,
        failures: window("failure_count", "failure_ends_at")?,
    })
}

/// A row of that key appeared meanwhile.
fn is_duplicate(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.to_string().starts_with("23505"))
}
