//! What is needed to move to another store and from there. A thing that leaves has its row renamed.

use sqlx::Connection;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::rows::{failed, get, is_outage, milliseconds, read_entry, unexpected};
use super::{Answer, MysqlStore, Query, Sql, query, said};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Found, Key};
use crate::secret::Digest;
use crate::store::challenge::{Challenge, Record, Window, left, millis};
use crate::store::sql::{self, Columns};
use crate::store::{Audit, Item, Page, Restored, item};

pub(super) struct Statements {
    pub(super) known: Sql,
    scan_challenges: Sql,
    scan_entries: Sql,
    total: Sql,
    detach_challenge: Sql,
    detach_entry: Sql,
    detached_challenge: Sql,
    detached_entry: Sql,
    clear_challenge: Sql,
    clear_entry: Sql,
    end_waiting: Sql,
    forget_challenge: Sql,
    forget_entry: Sql,
    lock: Sql,
    load: Sql,
    insert: Sql,
    update: Sql,
    seen: Sql,
    mark: Sql,
}

/// Times in milliseconds since the epoch, `t` being now.
const RECORD: &str = "c.id, c.key_id, c.digest, c.sealed, c.attempts, c.max_attempts, c.purpose, c.issue_count,
    c.verify_count, c.failure_count, {ms:UTC_TIMESTAMP(3)} AS t, {ms:c.created_at} AS created_at,
    {ms:c.expires_at} AS expires_at, {ms:c.verified_at} AS verified_at, {ms:c.cooldown_until} AS cooldown_until,
    {ms:c.issue_ends_at} AS issue_ends_at, {ms:c.verify_ends_at} AS verify_ends_at,
    {ms:c.failure_ends_at} AS failure_ends_at";
/// Whether anything in a row still matters; never NULL.
const LIVE: &str = "(c.id IS NOT NULL AND c.expires_at > {now} OR c.cooldown_until > {now}
    OR c.issue_count > 0 AND c.issue_ends_at > {now} OR c.verify_count > 0 AND c.verify_ends_at > {now}
    OR c.failure_count > 0 AND c.failure_ends_at > {now}) IS TRUE";
const ENTRY: &str = "e.`value`, e.number, e.version, {left} e.expires_at) DIV 1000 AS rest";

const KNOWN: &str = "SELECT 1 FROM `{prefix}challenges` c WHERE c.`key` = ? AND {live}";
/// Keys are bytes, so that the first to the second are all of a prefix.
const SCAN_CHALLENGES: &str = "SELECT c.`key`, {record} FROM `{prefix}challenges` c
WHERE c.`key` > ? AND c.`key` < ? ORDER BY c.`key` LIMIT ?";
const SCAN_ENTRIES: &str = "SELECT e.`key`, {entry} FROM `{prefix}entries` e
WHERE e.`key` > ? AND e.`key` < ? ORDER BY e.`key` LIMIT ?";
const TOTAL: &str = "SELECT (SELECT COUNT(*) FROM `{prefix}challenges` WHERE `key` > ? AND `key` < ?)
    + (SELECT COUNT(*) FROM `{prefix}entries` WHERE `key` > ? AND `key` < ?) AS total";
/// Where something waits under the new name, the key being the primary one refuses.
const DETACH_CHALLENGE: &str = "UPDATE `{prefix}challenges` c SET c.`key` = ? WHERE c.`key` = ? AND {live}";
const DETACH_ENTRY: &str = "UPDATE `{prefix}entries` e SET e.`key` = ? WHERE e.`key` = ? AND e.expires_at > {now}";
const DETACHED_CHALLENGE: &str = "SELECT {record} FROM `{prefix}challenges` c WHERE c.`key` = ?";
const DETACHED_ENTRY: &str = "SELECT {entry} FROM `{prefix}entries` e WHERE e.`key` = ?";
const CLEAR_CHALLENGE: &str = "DELETE c FROM `{prefix}challenges` c WHERE c.`key` = ? AND NOT {live}";
const CLEAR_ENTRY: &str = "DELETE e FROM `{prefix}entries` e WHERE e.`key` = ? AND e.expires_at <= {now}";
/// Not if the mark says that it has come back so many times since. The mark is read once the row is locked.
const FORGET_CHALLENGE: &str = "DELETE c FROM `{prefix}challenges` c {mark}
WHERE c.`key` = ? AND c.id <=> ? AND c.attempts = COALESCE(?, c.attempts) AND COALESCE(ABS(m.number), 0) < ?";
const FORGET_ENTRY: &str = "DELETE e FROM `{prefix}entries` e {mark}
WHERE e.`key` = ? AND e.`value` <=> ? AND e.number <=> ? AND COALESCE(ABS(m.number), 0) < ?";
const JOINED_MARK: &str = "LEFT JOIN `{prefix}entries` m ON m.`key` = ? AND m.expires_at > {now}";
const END_WAITING: &str = "DELETE FROM `{prefix}challenges` WHERE `key` = ? AND id = ?";
const LOCK: &str = "SELECT 1 FROM `{prefix}challenges` c WHERE c.`key` = ? FOR UPDATE";
/// One row always.
const LOAD: &str = "SELECT {record}, c.`key` IS NOT NULL AS found, e.number AS seen FROM (SELECT 1) one
LEFT JOIN `{prefix}challenges` c ON c.`key` = ? LEFT JOIN `{prefix}entries` e ON e.`key` = ? AND e.expires_at > {now}";
/// [`bind_record`]'s values in the same order as in [`UPDATE`].
const INSERT: &str = "INSERT INTO `{prefix}challenges` (
    id, key_id, digest, sealed, attempts, max_attempts, expires_at, cooldown_until, issue_count, issue_ends_at,
    verify_count, verify_ends_at, failure_count, failure_ends_at, purpose, created_at, verified_at, purge_at, `key`
) VALUES (?, ?, ?, ?, COALESCE(?, 0), COALESCE(?, 0), COALESCE({at}, {now}), {at}, ?, {at}, ?, {at}, ?, {at},
    COALESCE(?, ''), COALESCE({at}, {now}), {at}, {purge}, ?)";
/// Purpose and times of the audit columns are changed where they are given.
const UPDATE: &str = "UPDATE `{prefix}challenges` c SET c.id = ?, c.key_id = ?, c.digest = ?, c.sealed = ?,
    c.attempts = COALESCE(?, c.attempts), c.max_attempts = COALESCE(?, c.max_attempts),
    c.expires_at = COALESCE({at}, c.expires_at), c.cooldown_until = {at}, c.issue_count = ?, c.issue_ends_at = {at},
    c.verify_count = ?, c.verify_ends_at = {at}, c.failure_count = ?, c.failure_ends_at = {at},
    c.purpose = COALESCE(?, c.purpose), c.created_at = COALESCE({at}, c.created_at),
    c.verified_at = COALESCE({at}, c.verified_at), c.purge_at = GREATEST(c.purge_at, {purge})
WHERE c.`key` = ?";
const SEEN: &str =
    "SELECT e.number AS seen FROM `{prefix}entries` e WHERE e.`key` = ? AND e.expires_at > {now} FOR UPDATE";
const MARK: &str = "INSERT INTO `{prefix}entries` (`key`, number, expires_at, version)
VALUES (?, ?, {now} + INTERVAL ? * 1000 MICROSECOND, {version})
ON DUPLICATE KEY UPDATE `value` = NULL, number = VALUES(number), expires_at = VALUES(expires_at), version = {version}";

impl Statements {
    pub(super) fn new(made: impl Fn(&str) -> Sql) -> Self {
        let made = |sql: &str| made(&spelled(sql));
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
            insert: made(INSERT),
            update: made(UPDATE),
            seen: made(SEEN),
            mark: made(MARK),
        }
    }
}

/// Writes out what the statements share; `{ms:…}` is a time as milliseconds, and `{at}` such a value as a time.
fn spelled(sql: &str) -> String {
    let sql = sql
        .replace("{mark}", JOINED_MARK)
        .replace("{record}", RECORD)
        .replace("{entry}", ENTRY)
        .replace("{live}", LIVE)
        .replace("{at}", "TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? * 1000 MICROSECOND")
        .replace("{purge}", "{now} + INTERVAL (? + 86400000) * 1000 MICROSECOND")
        .replace("{now}", "UTC_TIMESTAMP(3)");
    let mut parts = sql.split("{ms:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (time, after) = part.split_once('}').unwrap_or_default();
        out += &format!("TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', {time}) DIV 1000{after}");
    }
    out
}

/// The cursor is a table's letter and the last key, `c` before `e`.
pub(super) async fn scan(store: &MysqlStore, prefix: &str, cursor: &str, limit: u32) -> Result<Page> {
    let (table, after) = sql::cursor(cursor, prefix)?;
    let (sql, end, limit) = (&store.sql.moving, sql::after(prefix), limit.max(1));
    let mut page = Page::default();
    if cursor.is_empty() {
        let row = store.answer(query(&sql.total).bind(prefix).bind(&end).bind(prefix).bind(&end)).await?;
        page.total = Some(get::<i64>(&row, "total")? as u64);
    }
    let statement = if table == 'c' { &sql.scan_challenges } else { &sql.scan_entries };
    let mut lease = store.pool.lease().await?;
    let rows = query(statement).bind(after).bind(&end).bind(i64::from(limit)).fetch_all(lease.driver()?).await;
    let rows = match rows {
        Ok(rows) => rows,
        Err(e) => {
            lease.broken(is_outage(&e));
            return Err(failed(e));
        }
    };
    lease.done();
    let (mut last, full) = (None, rows.len() >= limit as usize);
    for row in rows {
        let Ok(name) = String::from_utf8(get(&row, "key")?) else { return Err(unexpected()) };
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

pub(super) async fn detach(store: &MysqlStore, key: &Key, detached_only: bool) -> Result<Option<Item>> {
    let (sql, detached) = (&store.sql.moving, key.detached());
    let (waiting, leave, clear, table) = match key.is_challenge() {
        true => (&sql.detached_challenge, &sql.detach_challenge, &sql.clear_challenge, 'c'),
        false => (&sql.detached_entry, &sql.detach_entry, &sql.clear_entry, 'e'),
    };
    loop {
        if !detached_only {
            match store.ask(query(leave).bind(detached.as_str()).bind(key.as_str())).await {
                // Something waits there already.
                Err(e) if is_duplicate(&e) => {}
                answer => _ = answer?,
            }
        }
        let Some(row) = store.ask(query(waiting).bind(detached.as_str())).await?.row else { return Ok(None) };
        if let Some(item) = read(row, key.clone(), table)? {
            return Ok(Some(item));
        }
        // What nobody brought to its end in its life is in the way.
        let cleared = store.ask(query(clear).bind(detached.as_str())).await?.matched > 0;
        if detached_only || !cleared {
            return Ok(None);
        }
    }
}

pub(super) async fn forget(store: &MysqlStore, item: &Item) -> Result<()> {
    let (sql, detached) = (&store.sql.moving, item.key.detached());
    let challenge = item.record().and_then(|(record, _)| record.challenge);
    let (columns, mark) = (Columns::of(item.bytes()), item.mark());
    let begun = |sql| query(sql).bind(mark.as_ref().map(Key::as_str)).bind(detached.as_str());
    let forget = match item.key.is_challenge() {
        true => begun(&sql.forget_challenge)
            .bind(challenge.as_ref().map(|c| &c.id[..]))
            .bind(challenge.as_ref().map(|c| i64::from(c.attempts))),
        false => begun(&sql.forget_entry).bind(columns.value).bind(columns.number),
    };
    store.ask(forget.bind(item.moves.max(1) as i64)).await.map(|_| ())
}

/// One transaction, repeated when a row appears that was not there to be locked.
pub(super) async fn restore(store: &MysqlStore, item: &Item) -> Result<Restored> {
    if !item.key.is_challenge() {
        return item::restore(store, item).await;
    }
    for _ in 0..100 {
        let mut lease = store.pool.lease().await?;
        let mut transaction = lease.driver()?.begin().await.map_err(failed)?;
        let answer = match try_restore(&mut transaction, &store.sql.moving, item).await {
            Ok(Restored::Arrived) => transaction.commit().await.map(|()| Some(Restored::Arrived)),
            Ok(answer) => transaction.rollback().await.map(|()| Some(answer)),
            Err(e) if is_duplicate(&e) || is_deadlock(&e) => transaction.rollback().await.map(|()| None),
            Err(e) => {
                drop(transaction);
                lease.broken(e.is_outage());
                return Err(e);
            }
        };
        let answer = answer.map_err(failed)?;
        lease.done();
        if let Some(answer) = answer {
            return Ok(answer);
        }
    }
    Err(Error::new(ErrorKind::StoreUnavailable, "too many callers changed the same entry at once"))
}

/// Within a transaction, which is to be undone for any answer but `Arrived`.
async fn try_restore(transaction: &mut MySqlConnection, sql: &Statements, item: &Item) -> Result<Restored> {
    let Some((theirs, then)) = item.record() else { return Ok(Restored::Expired) };
    let (mark, detached, key) = (item.mark(), item.key.detached(), item.key.as_str());
    let id = theirs.challenge.as_ref().map(|c| c.id);
    // Whoever changes the row meanwhile waits for us, or we for them.
    ask(transaction, query(&sql.lock).bind(key)).await?;
    let load = query(&sql.load).bind(key).bind(mark.as_ref().map(Key::as_str));
    let row = ask(transaction, load).await?.row.ok_or_else(unexpected)?;
    let (found, now) = (get::<bool>(&row, "found")?, get::<i64>(&row, "t")? as u64);
    if mark.is_some() && seen(Some(&row))? >= item.moves.max(1) {
        return Ok(Restored::Known);
    }
    if item.left().is_zero() {
        return Ok(Restored::Expired);
    }
    let mut record = read_record(&row)?;
    let own = record.challenge.as_ref().map(|c| c.id);
    record.absorb(now, theirs, then);
    let is_new = own.is_none() || record.challenge.as_ref().map(|c| c.id) != own;
    let audit = item.audit.as_ref().filter(|_| is_new);
    let save = query(if found { &sql.update } else { &sql.insert });
    ask(transaction, bind_record(save, &record, audit, now).bind(key)).await?;
    let Some(mark) = mark else { return Ok(Restored::Arrived) };
    // Only now nobody else can bring it: before there was a row to lock, it may have come and gone.
    let again = ask(transaction, query(&sql.seen).bind(mark.as_str())).await?.row;
    if seen(again.as_ref())? >= item.moves.max(1) {
        return Ok(Restored::Known);
    }
    let moves = item.moves.max(1) as i64;
    let note = query(&sql.mark).bind(mark.as_str()).bind(moves).bind(milliseconds(item.mark_life()));
    ask(transaction, note).await?;
    let waiting = query(&sql.end_waiting).bind(detached.as_str()).bind(id.as_ref().map(|id| &id[..]));
    ask(transaction, waiting).await?;
    Ok(Restored::Arrived)
}

async fn ask(connection: &mut MySqlConnection, query: Query<'_>) -> Result<Answer> {
    said(connection, query).await.map_err(failed)
}

fn bind_record<'q>(save: Query<'q>, record: &'q Record, audit: Option<&'q Audit>, now: u64) -> Query<'q> {
    let challenge = record.challenge.as_ref();
    let time = |ms: u64| (ms > 0).then_some(ms as i64);
    let mut save = save
        .bind(challenge.map(|c| &c.id[..]))
        .bind(challenge.map(|c| i64::from(c.digest.key)))
        .bind(challenge.map(|c| &c.digest.bytes[..]))
        .bind(challenge.map(|c| &c.sealed[..]))
        .bind(challenge.map(|c| i32::from(c.attempts)))
        .bind(challenge.map(|c| i32::from(c.max_attempts)))
        .bind(challenge.map(|c| c.expires as i64))
        .bind(time(record.cooldown_until));
    for window in [record.issues, record.verifies, record.failures] {
        save = save.bind(i32::from(window.count)).bind(time(window.ends));
    }
    save.bind(audit.map(|a| a.purpose.as_str()))
        .bind(audit.map(|a| now.saturating_sub(millis(a.age)) as i64))
        .bind(audit.and_then(|a| a.verified).map(|ago| now.saturating_sub(millis(ago)) as i64))
        .bind(milliseconds(record.life(now)))
}

/// How often the item has been here.
fn seen(row: Option<&MySqlRow>) -> Result<u64> {
    let seen = row.map(|row| get::<Option<i64>>(row, "seen")).transpose()?.flatten();
    Ok(seen.unwrap_or(0).max(0) as u64)
}

fn read(row: MySqlRow, key: Key, table: char) -> Result<Option<Item>> {
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
fn read_record(row: &MySqlRow) -> Result<Record> {
    let number = |name| Ok::<_, Error>(get::<Option<i64>>(row, name)?.unwrap_or(0).max(0) as u64);
    let small = |name| Ok::<_, Error>(number(name)?.min(0xffff) as u16);
    let window = |count, ends| Ok::<_, Error>(Window { count: small(count)?, ends: number(ends)? });
    let bytes = |name| get::<Option<Vec<u8>>>(row, name);
    let challenge = match (bytes("id")?, bytes("digest")?) {
        (Some(id), Some(digest)) => Some(Challenge {
            id: id.try_into().map_err(|_| unexpected())?,
            digest: Digest { key: number("key_id")? as u32, bytes: digest.try_into().map_err(|_| unexpected())? },
            expires: number("expires_at")?,
            attempts: small("attempts")?,
            max_attempts: small("max_attempts")?,
            sealed: bytes("sealed")?.unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(Record {
        challenge,
        cooldown_until: number("cooldown_until")?,
        issues: window("issue_count", "issue_ends_at")?,
        verifies: window("verify_count", "verify_ends_at")?,
        failures: window("failure_count", "failure_ends_at")?,
    })
}

/// A row of that key is there, or appeared meanwhile.
fn is_duplicate(error: &Error) -> bool {
    caused_by(error, "1062 ")
}

fn is_deadlock(error: &Error) -> bool {
    caused_by(error, "1213 ")
}

fn caused_by(error: &Error, number: &str) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.to_string().starts_with(number))
}
