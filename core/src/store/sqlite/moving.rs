//! What is needed to move to another store and from there. A thing that leaves has its row renamed.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::connection::{failed, query};
use super::rows::{Change, Counter, bind_record, get, read_entry, read_record};
use crate::error::Result;
use crate::key::{Found, Key};
use crate::store::challenge::{left, millis};
use crate::store::sql::{self, Columns};
use crate::store::{Audit, Item, Page, Restored, item};

/// The cursor is a table's letter and the last key, `c` before `e`.
pub(super) async fn scan(store: &SqliteStore, prefix: &str, cursor: &str, limit: u32) -> Result<Page> {
    let (table, after) = sql::cursor(cursor, prefix)?;
    // The character after ':', with which every prefix ends.
    let end = sql::after(prefix);
    let mut page = Page::default();
    if cursor.is_empty() {
        let row = store.fetch(query(&store.sql.total).bind(prefix).bind(&end)).await?;
        page.total = row.map(|row| get::<i64>(&row, "total")).transpose()?.map(|total| total as u64);
    }
    let statement = if table == 'c' { &store.sql.scan_challenges } else { &store.sql.scan_entries };
    let scan = query(statement).bind(after).bind(&end).bind(i64::from(limit.max(1)));
    let rows = scan.fetch_all(store.file.lock().await?.driver()?).await.map_err(failed)?;
    let now = store.clock.now_ms();
    for row in &rows {
        let name: &str = row.try_get("key").map_err(failed)?;
        match Found::read(name) {
            Some(Found::Mark) => {}
            None => page.unreadable += 1,
            Some(Found::Own(key)) => page.push(read(row, key, table, now)?, false),
            Some(Found::Detached(key)) => page.push(read(row, key, table, now)?, true),
        }
    }
    let last = rows.last().map(|row| get::<String>(row, "key")).transpose()?;
    page.cursor = sql::next(table, last.filter(|_| rows.len() >= limit.max(1) as usize));
    Ok(page)
}

pub(super) async fn detach(store: &SqliteStore, key: &Key, detached_only: bool) -> Result<Option<Item>> {
    let detached = key.detached();
    let (waiting, leave, clear, table) = match key.is_challenge() {
        true => (&store.sql.detached_challenge, &store.sql.detach_challenge, &store.sql.clear_challenge, 'c'),
        false => (&store.sql.detached_entry, &store.sql.detach_entry, &store.sql.clear_entry, 'e'),
    };
    let waiting = || store.fetch(query(waiting).bind(detached.as_str()));
    loop {
        let mut row = waiting().await?;
        if row.is_none() && !detached_only {
            let now = store.clock.now_ms() as i64;
            row = store.fetch(query(leave).bind(key.as_str()).bind(detached.as_str()).bind(now)).await?;
            if row.is_none() {
                // Another mover may have been first.
                row = waiting().await?;
            }
        }
        let Some(row) = row else { return Ok(None) };
        let now = store.clock.now_ms();
        if let Some(item) = read(&row, key.clone(), table, now)? {
            return Ok(Some(item));
        }
        // What nobody brought to its end in its life is in the way.
        let cleared = store.fetch(query(clear).bind(detached.as_str()).bind(now as i64)).await?.is_some();
        if detached_only || !cleared {
            return Ok(None);
        }
    }
}

pub(super) async fn forget(store: &SqliteStore, item: &Item) -> Result<()> {
    let detached = item.key.detached();
    let id = item.record().and_then(|(record, _)| record.challenge).map(|c| (c.id, c.attempts));
    let forget = match item.key.is_challenge() {
        true => query(&store.sql.forget_challenge)
            .bind(detached.as_str())
            .bind(id.map(|(id, _)| id.to_vec()))
            .bind(id.map(|(_, attempts)| i64::from(attempts))),
        false => {
            let columns = Columns::of(item.bytes());
            query(&store.sql.forget_entry)
                .bind(detached.as_str())
                .bind(columns.value.map(<[u8]>::to_vec))
                .bind(columns.number)
        }
    };
    let forget = forget
        .bind(item.mark().map(|mark| mark.as_str().to_owned()))
        .bind(item.moves.max(1) as i64)
        .bind(store.clock.now_ms() as i64);
    store.fetch(forget).await.map(|_| ())
}

pub(super) async fn restore(store: &SqliteStore, item: &Item) -> Result<Restored> {
    if !item.key.is_challenge() {
        return item::restore(store, item).await;
    }
    let Some((theirs, then)) = item.record() else { return Ok(Restored::Expired) };
    let (mark, detached) = (item.mark(), item.key.detached());
    let id = theirs.challenge.as_ref().map(|c| c.id.to_vec());
    let mut transaction = store.file.begin().await?;
    let load = query(&store.sql.load).bind(item.key.as_str()).bind(mark.as_ref().map(Key::as_str));
    let row = transaction.one(load).await?;
    let now = store.clock.now_ms();
    let seen = Counter::read(&row, now)?.number.unsigned_abs();
    let known = mark.is_some() && seen >= item.moves.max(1);
    if known || item.left().is_zero() {
        transaction.abandon();
        return Ok(if known { Restored::Known } else { Restored::Expired });
    }
    let mut record = read_record(&row, now)?;
    let own = record.challenge.as_ref().map(|c| c.id);
    record.absorb(now, theirs, then);
    let change = match &item.audit {
        _ if record.challenge.as_ref().map(|c| c.id) == own && own.is_some() => Change::default(),
        Some(audit) => Change {
            issued: Some((&audit.purpose, now.saturating_sub(millis(audit.age)))),
            verified: audit.verified.map(|ago| now.saturating_sub(millis(ago))),
        },
        None => Change { issued: Some(("", now)), verified: None },
    };
    let save = if mark.is_some() { &store.sql.save_restored } else { &store.sql.save_record };
    let save = query(save)
        .bind(mark.as_ref().map(Key::as_str))
        .bind(item.moves.max(1) as i64)
        .bind((now + millis(item.mark_life())) as i64);
    let save = bind_record(save, &item.key, &record, &change, now);
    let save = if mark.is_some() { save.bind(detached.as_str()).bind(id) } else { save };
    transaction.commit(save).await?;
    Ok(Restored::Arrived)
}

fn read(row: &SqliteRow, key: Key, table: char, now: u64) -> Result<Option<Item>> {
    if table == 'e' {
        let found = read_entry(row, now)?;
        return Ok(found.and_then(|found| Item::entry(key, found.value, found.ttl)));
    }
    let since = |at: i64| left(now, at.max(0) as u64);
    let audit = Audit {
        purpose: get(row, "purpose")?,
        age: since(get(row, "created_at")?),
        verified: get::<Option<i64>>(row, "verified_at")?.map(since),
    };
    Ok(Item::challenge(key, &read_record(row, now)?, now, Some(audit)))
}
