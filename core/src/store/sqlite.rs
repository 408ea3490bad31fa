//! `sqlite:PATH` and `sqlite::memory:`: one machine, any number of processes.
//!
//! Every change is one transaction that takes the write lock first, runs the rules of [`Record`] and writes what they
//! changed. The driver keeps the connection on a thread of its own, so what costs time is not the statements but
//! going there and back: a change goes twice.

mod connection;
mod moving;
mod rows;
mod users;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteRow;

use self::connection::{File, Query, failed, query};
use self::rows::{Change, Counter, Statements, bind_record, read_entry, read_record};
pub(super) use self::users::SqliteUsers;
use super::challenge::{Record, millis};
use super::sql::{self, Columns};
use super::*;
use crate::error::Result;
use crate::time::Clock;

/// One file.
pub(crate) struct SqliteStore {
    file: File,
    clock: Arc<dyn Clock>,
    sql: Statements,
}

impl SqliteStore {
    /// Opens or creates the file and its tables.
    ///
    /// # Errors
    /// `CONFIG` when the path cannot be opened or holds something else; `STORE_UNAVAILABLE` when it stays locked.
    pub(crate) async fn open(url: &str, options: StoreOptions) -> Result<Self> {
        let file = File::open(url, options.deadline, &options.table_prefix).await?;
        Ok(Self { file, clock: options.clock, sql: Statements::new(&options.table_prefix) })
    }

    /// Hits the gate, then runs `step` on the record, as one transaction. A refusal writes nothing but the gate's count.
    async fn change<'i, T>(
        &self,
        key: &Key,
        gate: Option<&Gate>,
        gated: impl FnOnce(Duration) -> T,
        step: impl FnOnce(&mut Record, u64) -> (T, Option<Change<'i>>),
    ) -> Result<T> {
        let mut transaction = self.file.begin().await?;
        let load = query(&self.sql.load).bind(key.as_str()).bind(gate.map(|g| g.key.as_str()));
        let row = transaction.one(load).await?;
        let now = self.clock.now_ms();
        let mut count = None;
        if let Some(gate) = gate {
            let entry = Counter::read(&row, now)?;
            let hit = entry.hit(gate, 1);
            if !hit.allowed {
                transaction.abandon();
                return Ok(gated(hit.resets_in));
            }
            count = Some((gate, i64::from(entry.used()) + 1, now + millis(hit.resets_in)));
        }
        let mut record = read_record(&row, now)?;
        let (outcome, change) = step(&mut record, now);
        let save = match (&change, &count) {
            (None, None) => {
                transaction.abandon();
                return Ok(outcome);
            }
            (None, Some(_)) => &self.sql.save_count,
            (Some(_), None) => &self.sql.save_record,
            (Some(_), Some(_)) => &self.sql.save_both,
        };
        let (gate, value, ends) =
            count.map_or((None, 0, 0), |(gate, value, ends)| (Some(gate.key.as_str()), value, ends));
        let save = query(save).bind(gate).bind(value).bind(ends as i64);
        transaction.commit(bind_record(save, key, &record, &change.unwrap_or_default(), now)).await?;
        Ok(outcome)
    }

    /// Changes a counter, as one transaction. `None` from `step` writes nothing.
    async fn change_count<T>(
        &self,
        key: &Key,
        step: impl FnOnce(Counter, u64) -> (T, Option<(i64, u64)>),
    ) -> Result<T> {
        let mut transaction = self.file.begin().await?;
        let row = transaction.one(query(&self.sql.load).bind(None::<&str>).bind(key.as_str())).await?;
        let now = self.clock.now_ms();
        let (outcome, write) = step(Counter::read(&row, now)?, now);
        match write {
            Some((value, ends)) => {
                let save = query(&self.sql.save_count).bind(key.as_str()).bind(value).bind(ends as i64);
                transaction.commit(save).await?;
            }
            None => transaction.abandon(),
        }
        Ok(outcome)
    }

    async fn fetch(&self, query: Query<'_>) -> Result<Option<SqliteRow>> {
        // To the end, not only the first row: the statement commits with its last step.
        let rows = query.fetch_all(self.file.lock().await?.driver()?).await.map_err(failed)?;
        Ok(rows.into_iter().next())
    }
}

impl Store for SqliteStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            let row = self.fetch(query(&self.sql.get).bind(key.as_str())).await?;
            row.map_or(Ok(None), |row| read_entry(&row, self.clock.now_ms()))
        })
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let (statement, version) = match &when {
                When::Always => (&self.sql.put, None),
                When::Absent => (&self.sql.put_absent, None),
                When::Version(version) => match sql::version(version) {
                    Some(version) => (&self.sql.put_version, Some(version)),
                    None => return Ok(false),
                },
            };
            let columns = Columns::of(value);
            let now = self.clock.now_ms();
            let put = query(statement).bind(key.as_str()).bind(columns.value).bind(columns.number);
            let put = put.bind((now + millis(ttl)) as i64).bind(now as i64).bind(version);
            Ok(self.fetch(put).await?.is_some())
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            let row = self.fetch(query(&self.sql.take).bind(key.as_str())).await?;
            row.map_or(Ok(None), |row| read_entry(&row, self.clock.now_ms()))
        })
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        Box::pin(self.change_count(key, move |counter, now| {
            let count = Count { value: counter.number.saturating_add(by), ttl: counter.left.unwrap_or(ttl) };
            (count, Some((count.value, now + millis(count.ttl))))
        }))
    }

    fn issue<'a>(&'a self, key: &'a Key, input: &'a Issue, gate: Option<&'a Gate>) -> BoxFuture<'a, Result<Issued>> {
        Box::pin(self.change(
            key,
            gate,
            |wait| Issued::Refused(Refused::Gated(wait)),
            |record, now| issue(record, input, now),
        ))
    }

    fn attempt<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Attempt,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Attempted>> {
        Box::pin(self.change(
            key,
            gate,
            |wait| Attempted::Refused(Refused::Gated(wait)),
            |record, now| {
                let attempted = record.attempt(input, now);
                let verified = matches!(attempted, Attempted::Right { .. });
                let change = !matches!(attempted, Attempted::Refused(_));
                (attempted, change.then_some(Change { issued: None, verified: verified.then_some(now) }))
            },
        ))
    }

    fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
        Box::pin(self.change_count(&gate.key, move |counter, now| {
            let hit = counter.hit(gate, cost);
            let value = i64::from(counter.used().saturating_add(cost));
            (hit, hit.allowed.then_some((value, now + millis(hit.resets_in))))
        }))
    }

    fn needs_purge(&self) -> bool {
        true
    }

    fn scan<'a>(&'a self, prefix: &'a str, cursor: &'a str, limit: u32) -> BoxFuture<'a, Result<Page>> {
        Box::pin(moving::scan(self, prefix, cursor, limit))
    }

    fn detach<'a>(&'a self, key: &'a Key, detached_only: bool) -> BoxFuture<'a, Result<Option<Item>>> {
        Box::pin(moving::detach(self, key, detached_only))
    }

    fn forget<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<()>> {
        Box::pin(moving::forget(self, item))
    }

    fn restore<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<Restored>> {
        Box::pin(moving::restore(self, item))
    }

    fn reissue<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Issue,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Option<Issued>>> {
        Box::pin(self.change(
            key,
            gate,
            |wait| Some(Issued::Refused(Refused::Gated(wait))),
            |record, now| {
                if *record == Record::default() {
                    return (None, None);
                }
                let (issued, change) = issue(record, input, now);
                (Some(issued), change)
            },
        ))
    }

    fn amend<'a>(&'a self, key: &'a Key, input: &'a Amend) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.change(
            key,
            None,
            |_| false,
            |record, now| {
                let changed = record.amend(input, now);
                (changed, changed.then(Change::default))
            },
        ))
    }

    fn peek<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Peeked>>> {
        Box::pin(async move {
            let row = self.fetch(query(&self.sql.peek).bind(key.as_str())).await?;
            let now = self.clock.now_ms();
            row.map_or(Ok(None), |row| Ok(read_record(&row, now)?.peek(now)))
        })
    }

    fn inspect<'a>(&'a self, probe: &'a Key) -> BoxFuture<'a, Result<Inspection>> {
        Box::pin(async move {
            // As every change begins: with the lock that only a file that may be written gives.
            let mut transaction = self.file.begin().await?;
            transaction.one(query(&self.sql.load).bind(probe.as_str()).bind(None::<&str>)).await?;
            transaction.abandon();
            let mut found = Inspection::default();
            let mode = self.file.journal_mode().await?;
            if !["wal", "memory"].contains(&&*mode) {
                found.warn(format!(
                    "the SQLite file is in journal mode {mode}, not WAL: processes wait for each other; put it on a local disk"
                ));
            }
            Ok(found)
        })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let mut purged = 0;
            for statement in [&self.sql.purge_challenges, &self.sql.purge_entries] {
                let rest = i64::from(limit) - purged as i64;
                let purge = query(statement).bind(self.clock.now_ms() as i64).bind(rest);
                let done = purge.execute(self.file.lock().await?.driver()?).await.map_err(failed)?;
                purged += done.rows_affected();
            }
            Ok(purged)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.file.close())
    }
}

fn issue<'i>(record: &mut Record, input: &'i Issue, now: u64) -> (Issued, Option<Change<'i>>) {
    let issued = record.issue(input, now);
    let change = match issued {
        Issued::New { .. } => Some(Change { issued: Some((&input.purpose, now)), verified: None }),
        Issued::Kept { .. } => Some(Change::default()),
        Issued::Refused(_) => None,
    };
    (issued, change)
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteStore")
    }
}
