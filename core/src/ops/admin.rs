//! `once.admin`: moving everything to another store.

use std::fmt;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{BoxFuture, Item, Restored, Store, carry};

/// What an administrator does now and then. From [`Oncecode::admin`](crate::Oncecode::admin).
#[derive(Clone, Debug)]
pub struct Admin {
    pub(crate) core: Arc<Core>,
}

/// What [`Admin::copy`] needs.
#[non_exhaustive]
pub struct CopyRequest {
    /// The other store's URL.
    pub to: String,
    /// How many things are listed at a time, from 1 to 10 000. Default 500.
    pub batch: u32,
    /// The cursor of an earlier, interrupted copy.
    pub resume_from: Option<String>,
    /// Leave everything in this store as well. Only for a store that no app uses: what is used up in one of the two would
    /// be live in the other. Default false.
    pub keep: bool,
    /// Told after every batch; `false` ends the copy there.
    pub progress: Option<Progress>,
}

/// Told how far a copy is.
pub type Progress = Box<dyn FnMut(&Copied) -> bool + Send>;

/// How far a copy is, or what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// Challenges, budgets included, that are now in the other store.
    pub challenges: u64,
    /// Values and counters that are now in the other store.
    pub values: u64,
    /// Skipped: the other store had it before, or has something newer of the name.
    pub known: u64,
    /// Skipped: nothing of its life was left.
    pub expired: u64,
    /// Skipped: under our prefix, but not ours, or without an end.
    pub unreadable: u64,
    /// Skipped: the other store cannot keep it, say for so long.
    pub refused: u64,
    /// About how many things there were in all, where the store can tell.
    pub total: Option<u64>,
    /// Where to go on; `None` when all is done.
    pub cursor: Option<String>,
}

/// How many things are on their way at once.
const AT_ONCE: usize = 16;

impl Admin {
    /// Moves all challenges, values and counters with this client's `key_prefix` to the store `to`, with the life that
    /// they have left, attempts, cooldowns and budgets included. Each is taken out of use here before it is put into use
    /// there, so that no code is accepted twice; apps use `moving:NEW|OLD` meanwhile and notice nothing. Interrupted, it
    /// goes on from the last `cursor`, or begins anew: nothing comes twice, and what was used up is not revived.
    ///
    /// # Errors
    /// `CONFIG` when the other store cannot be opened or this one not be moved from; `INVALID_ARGUMENT` for a foreign
    /// cursor; `STORE_UNAVAILABLE` when one of them stops to answer: go on from the last cursor.
    pub fn copy(&self, request: CopyRequest) -> BoxFuture<'static, Result<Copied>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let from = core.open()?;
            let to = core.open_other(&request.to).await?;
            let copied = from.copy(&*to, request).await;
            to.close().await;
            copied
        })
    }

    /// One batch of [`Admin::copy`]; the answer's `cursor` leads to the next. For callers that go on by themselves.
    ///
    /// # Errors
    /// As [`Admin::copy`].
    pub fn copy_batch(&self, request: CopyRequest) -> BoxFuture<'static, Result<Copied>> {
        self.copy(CopyRequest { progress: Some(Box::new(|_| false)), ..request })
    }
}

impl Core {
    async fn copy(&self, to: &dyn Store, request: CopyRequest) -> Result<Copied> {
        if !(1..=10_000).contains(&request.batch) {
            return Err(Error::argument("batch must be from 1 to 10000"));
        }
        let (prefix, keep, mut progress) = (self.keys.prefix(), request.keep, request.progress);
        let mut cursor = request.resume_from.unwrap_or_default();
        let mut copied = Copied::default();
        loop {
            let page = self.open()?.store.scan(&prefix, &cursor, request.batch).await?;
            copied.total = copied.total.or(page.total);
            copied.unreadable += page.unreadable;
            copied.expired += page.expired;
            let items = page.items.into_iter().map(|(item, detached)| self.copy_one(to, item, detached, keep));
            // In no order: those that are done make room for others.
            let mut done = stream::iter(items).buffer_unordered(AT_ONCE);
            while let Some(one) = done.next().await {
                copied.add(one?);
            }
            copied.cursor = page.cursor;
            let go_on = progress.as_mut().is_none_or(|told| told(&copied));
            match &copied.cursor {
                Some(next) if go_on => cursor = next.clone(),
                _ => return Ok(copied),
            }
        }
    }

    async fn copy_one(&self, to: &dyn Store, item: Item, detached: bool, keep: bool) -> Result<One> {
        let answer = match keep {
            true => to.restore(&item).await.map(Some),
            // What an interrupted move left half way is brought to its end.
            false => carry(&*self.store, to, &item.key, detached).await,
        };
        let is_challenge = item.key.is_challenge();
        match answer {
            Ok(Some(Restored::Arrived)) => Ok(if is_challenge { One::Challenge } else { One::Value }),
            // Gone since it was listed: another mover has it.
            Ok(Some(Restored::Known) | None) => Ok(One::Known),
            Ok(Some(Restored::Expired)) => Ok(One::Expired),
            Err(e) if e.kind() == ErrorKind::InvalidArgument => Ok(One::Refused),
            Err(e) => Err(e),
        }
    }
}

/// What became of one thing.
enum One {
    Challenge,
    Value,
    Known,
    Expired,
    Refused,
}

impl Copied {
    fn add(&mut self, one: One) {
        *match one {
            One::Challenge => &mut self.challenges,
            One::Value => &mut self.values,
            One::Known => &mut self.known,
            One::Expired => &mut self.expired,
            One::Refused => &mut self.refused,
        } += 1;
    }

    /// The same as JSON, by the names of the fields.
    pub fn to_json(&self) -> Value {
        let Copied { challenges, values, known, expired, unreadable, refused, total, cursor } = self;
        json!({
            "challenges": challenges, "values": values, "known": known, "expired": expired,
            "unreadable": unreadable, "refused": refused, "total": total, "cursor": cursor,
        })
    }

    /// All that was moved.
    pub fn copied(&self) -> u64 {
        self.challenges + self.values
    }

    /// All that was not.
    pub fn skipped(&self) -> u64 {
        self.known + self.expired + self.unreadable + self.refused
    }
}

impl CopyRequest {
    /// A request with everything at its default.
    pub fn new(to: impl Into<String>) -> Self {
        Self { to: to.into(), batch: 500, resume_from: None, keep: false, progress: None }
    }
}

impl fmt::Debug for CopyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("CopyRequest").field("batch", &self.batch).field("keep", &self.keep).finish_non_exhaustive()
    }
}
