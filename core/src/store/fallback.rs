//! `fallback:FIRST|SECOND`: a second store serves while the first is out of reach.
//!
//! **A challenge lives where it was issued.** Nothing copies one, so that what accepts it and counts its attempts is one
//! store's one atomic step, however often the first store comes and goes: accepted once in all, attempts counted once.
//!
//! **Nothing is asked twice.** The second serves a call only when the first is known to have done nothing
//! ([`Error::is_undone`]): it could not be connected to, its breaker was open, or it refused before it began. Where the
//! first may have done it (the deadline passed, the connection broke after sending), the call fails.
//!
//! **A store is down when its breaker says so.** Until then it is merely late, and what it may know is waited for or the call
//! fails. So an outage of the first costs a probe per interval; one of the second ends its say, and what the first does
//! not know is then unknown, not absent.
//!
//! **An identifier is at home in one store.** Two stores may each hold a live challenge of one identifier: one from
//! before an outage and one from during it. So that only the newer can be used:
//!
//! - The second is the home while it has a live challenge. Everything about the identifier then goes there, also when the
//!   first is back, so that a resend replaces what it should and waits for its cooldown.
//! - With an issue, the second leaves a *note* beside the challenge, with as long a life. When the challenge is used or
//!   cancelled, the note still says that what the first holds is older. The first is the home again once that was
//!   cancelled there and the note taken ([`Fallback::settle`] says why in this order).
//! - Before its first issue, the second is given a *mark* that it is in use, which outlives every challenge in it. Without
//!   a mark there is nothing to ask it: every call is the first store's alone, in one round trip. Clients look for the
//!   mark at most [`TRUSTED`] apart, and at once when the first knows no such code.
//!
//! So with the second in reach: a code that was acknowledged verifies while its store is up, and a newer one kills it.
//!
//! What is not promised:
//!
//! - Counters are each store's own. Of the failure budget, issues, comparisons and limits there may be as many as both
//!   allow together, at most twice as many in a window, however often it changes. They are never set back.
//! - A client that did not see the first fail may take up to [`TRUSTED`] to learn that the second is in use; to it, a code
//!   from before counts until then.
//! - While both fail in turn, no longer than the mark lives: with the second down the first serves alone, and
//!   when the second is back, an older code in it hides a newer one in the first, until it expires or another is asked
//!   for there. Each code is still accepted once.
//!
//! **Values do not fall back**: `get`, `put`, `take` and `count` are the first store's alone and fail with it. What claims
//! something by them (a lock, an idempotency key, a revocation) can never be claimed in both. [`Store::hit`] and
//! [`Store::hits`] do fall back.

mod address;
mod mark;
mod part;
#[cfg(all(test, feature = "testkit"))]
mod tests;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use self::mark::Mark;
use self::part::Part;
use super::open::Opener;
use super::*;
use crate::error::{Error, ErrorKind};

/// For how long a client believes that the second store is not in use.
const TRUSTED: Duration = Duration::from_secs(1);

/// Two stores.
pub(super) struct Fallback {
    first: Part,
    second: Part,
    mark: Mark,
    /// Of a whole call.
    limit: Duration,
}

/// Which store answers for an identifier.
enum Home {
    First,
    Second,
    /// The first for what it has. What it does not have may be in the second, which is in use and down.
    FirstForNow,
}

impl Fallback {
    /// Opens both at once; one of them may be out of reach and joins later.
    ///
    /// # Errors
    /// `CONFIG` for a malformed URL or what either store says is wrong with its own; `STORE_UNAVAILABLE` when both are
    /// out of reach.
    pub(super) async fn open(url: &str, options: StoreOptions, open: Opener) -> Result<Self> {
        let [first, second] = address::parts(url)?;
        if options.breaker.is_none() {
            return Err(Error::config(
                "fallback: needs the circuit breakers of its stores to tell late from lost; leave breaker on",
            ));
        }
        let limit = options.deadline;
        // Connecting to the first leaves time for the second. A call that was sent to the first has all the time there
        // is, since nobody else may do it; it is the first that is told late, not this layer.
        let connect = limit * 2 / 5;
        let one = StoreOptions { deadline: limit * 9 / 10, connect, ..options };
        let two = StoreOptions { connect: limit - connect, ..one.clone() };
        let (first, second) =
            futures::join!(Part::open("first", first, one, open), Part::open("second", second, two, open));
        match (first?, second?) {
            ((_, Some(e)), (_, Some(_))) => Err(e),
            ((first, _), (second, _)) => Ok(Self { first, second, mark: Mark::default(), limit }),
        }
    }

    /// Whether the second store may hold a challenge or a note. Where it cannot be asked, what was known before counts; with
    /// `look` only if it is known to be down.
    async fn is_in_use(&self, key: &Key, look: bool) -> Result<bool> {
        if let Some(known) = self.mark.known(key, look) {
            return Ok(known);
        }
        let (asked, mark) = (Instant::now(), key.mark());
        match self.second.ask(self.limit / 3, |second| async move { second.get(&mark).await }).await {
            Ok(found) => Ok(self.mark.found(key, asked, found)),
            Err(e) if look && !self.second.is_down() => Err(e),
            Err(_) => Ok(self.mark.unknown(key)),
        }
    }

    /// Asks the second store, where it is in use, whether the identifier is at home there. Only one that is known to be
    /// down is passed over: one that is merely late may have the newer code.
    async fn home(&self, key: &Key, in_use: bool) -> Result<Home> {
        if !in_use {
            return Ok(Home::First);
        }
        let (entity, note) = (key.clone(), key.beside(NOTE));
        let has = self.second.ask(self.limit / 2, |second| async move {
            let (live, note) = futures::join!(second.peek(&entity), second.get(&note));
            match live? {
                Some(_) => Ok((true, false)),
                None => Ok((false, note?.is_some())),
            }
        });
        match has.await {
            Err(_) if self.second.is_down() => Ok(Home::FirstForNow),
            Err(e) => Err(e),
            Ok((true, _)) => Ok(Home::Second),
            Ok((false, false)) => Ok(Home::First),
            Ok((false, true)) => match self.settle(key).await {
                Ok(()) => Ok(Home::First),
                // Whatever the first has is older: that there is no code is true of both.
                Err(_) => Ok(Home::Second),
            },
        }
    }

    /// Whether the identifier is in the second store after all, when the first is out of reach or knows nothing.
    ///
    /// # Errors
    /// Where that cannot be told.
    async fn is_elsewhere(&self, key: &Key, home: Home, in_use: bool) -> Result<bool> {
        let home = match home {
            Home::First if !in_use && self.is_in_use(key, true).await? => self.home(key, true).await?,
            home => home,
        };
        match home {
            Home::First => Ok(false),
            Home::Second => Ok(true),
            Home::FirstForNow => {
                Err(Error::new(ErrorKind::StoreUnavailable, "it may be in the second store, which is out of reach"))
            }
        }
    }

    /// Makes the first store the home again: cancels what is there from before the note.
    ///
    /// The note is looked at once more after the first was asked: somebody else may have settled it and issued there in
    /// between. A challenge that was there while the note still was is older than the note.
    async fn settle(&self, key: &Key) -> Result<()> {
        let (entity, note) = (key.clone(), key.beside(NOTE));
        let old = self.first.ask(self.limit / 3, |first| async move { first.peek(&entity).await }).await?;
        let second = self.second.store();
        if second.get(&note).await?.is_none() {
            return Ok(());
        }
        if let Some(old) = old {
            self.first.store().amend(key, &Amend::Cancel(Some(old.id))).await?;
        }
        second.take(&note).await.map(|_| ())
    }

    async fn issue_in_second(&self, key: &Key, input: &Issue, gate: Option<&Gate>) -> Result<Issued> {
        let second = self.second.store();
        self.mark.set(second, key, input.life).await?;
        let issued = second.issue(key, input, gate).await?;
        if let Issued::New { .. } = issued {
            // Nobody has the code yet, so nobody can use it up before the note is there.
            second.put(&key.beside(NOTE), b"1", input.life, When::Always).await?;
        }
        Ok(issued)
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(self.limit, call).await.unwrap_or_else(|_| Err(late(self.limit)))
    }
}

/// What is added to a challenge's key for its note.
const NOTE: &str = "second";

impl Store for Fallback {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(self.within(self.first.store().get(key)))
    }

    fn put<'a>(&'a self, key: &'a Key, value: &'a [u8], ttl: Duration, when: When) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.within(self.first.store().put(key, value, ttl, when)))
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(self.within(self.first.store().take(key)))
    }

    fn count<'a>(&'a self, key: &'a Key, by: i64, ttl: Duration) -> BoxFuture<'a, Result<Count>> {
        Box::pin(self.within(self.first.store().count(key, by, ttl)))
    }

    fn issue<'a>(&'a self, key: &'a Key, input: &'a Issue, gate: Option<&'a Gate>) -> BoxFuture<'a, Result<Issued>> {
        Box::pin(self.within(async move {
            let in_use = self.is_in_use(key, false).await?;
            if !matches!(self.home(key, in_use).await?, Home::Second) {
                match self.first.store().issue(key, input, gate).await {
                    Err(e) if e.is_undone() => {}
                    answer => return answer,
                }
            }
            self.issue_in_second(key, input, gate).await
        }))
    }

    fn attempt<'a>(
        &'a self,
        key: &'a Key,
        input: &'a Attempt,
        gate: Option<&'a Gate>,
    ) -> BoxFuture<'a, Result<Attempted>> {
        Box::pin(self.within(async move {
            let in_use = self.is_in_use(key, false).await?;
            let home = self.home(key, in_use).await?;
            if let Home::Second = home {
                return self.second.store().attempt(key, input, gate).await;
            }
            let (answer, gate) = match self.first.store().attempt(key, input, gate).await {
                Err(e) if e.is_undone() => (Err(e), gate),
                // The gate has counted this call.
                Ok(not_found @ Attempted::Refused(Refused::NotFound)) => (Ok(not_found), None),
                answer => return answer,
            };
            match self.is_elsewhere(key, home, in_use).await? {
                true => self.second.store().attempt(key, input, gate).await,
                false => answer,
            }
        }))
    }

    fn hit<'a>(&'a self, gate: &'a Gate, cost: u32) -> BoxFuture<'a, Result<Hit>> {
        Box::pin(self.within(async move {
            match self.first.store().hit(gate, cost).await {
                Err(e) if e.is_undone() => self.second.store().hit(gate, cost).await,
                answer => answer,
            }
        }))
    }

    fn hits<'a>(&'a self, rates: &'a Rates, cost: u32) -> BoxFuture<'a, Result<Hits>> {
        Box::pin(self.within(async move {
            match self.first.store().hits(rates, cost).await {
                Err(e) if e.is_undone() => self.second.store().hits(rates, cost).await,
                answer => answer,
            }
        }))
    }

    fn amend<'a>(&'a self, key: &'a Key, input: &'a Amend) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.within(async move {
            let in_use = self.is_in_use(key, false).await?;
            let home = self.home(key, in_use).await?;
            if let Home::Second = home {
                return self.second.store().amend(key, input).await;
            }
            let answer = self.first.store().amend(key, input).await;
            let may_be_elsewhere = answer.as_ref().map_or_else(Error::is_undone, |changed| !changed);
            match may_be_elsewhere && self.is_elsewhere(key, home, in_use).await? {
                true => self.second.store().amend(key, input).await,
                false => answer,
            }
        }))
    }

    fn peek<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Peeked>>> {
        Box::pin(self.within(async move {
            let in_use = self.is_in_use(key, false).await?;
            let home = self.home(key, in_use).await?;
            if let Home::Second = home {
                return self.second.store().peek(key).await;
            }
            let answer = self.first.store().peek(key).await;
            let may_be_elsewhere = answer.as_ref().map_or_else(Error::is_undone, Option::is_none);
            match may_be_elsewhere && self.is_elsewhere(key, home, in_use).await? {
                true => self.second.store().peek(key).await,
                false => answer,
            }
        }))
    }

    /// Of both; the one that is out of reach is left for another time.
    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(self.within(async move {
            let (one, two) = (self.first.store().purge(limit), self.second.store().purge(limit));
            match futures::join!(one, two) {
                (Ok(one), Ok(two)) => Ok(one + two),
                (Ok(done), Err(e)) | (Err(e), Ok(done)) if e.kind() == ErrorKind::StoreUnavailable => Ok(done),
                (Err(e), _) | (_, Err(e)) => Err(e),
            }
        }))
    }

    fn needs_purge(&self) -> bool {
        self.first.store().needs_purge() || self.second.store().needs_purge()
    }

    fn granularity(&self) -> Duration {
        self.first.store().granularity().max(self.second.store().granularity())
    }

    /// Of both at once. One that is out of reach is a warning, as long as the other serves.
    fn inspect<'a>(&'a self, probe: &'a Key) -> BoxFuture<'a, Result<Inspection>> {
        Box::pin(self.within(async move {
            match futures::join!(self.first.inspect(probe), self.second.inspect(probe)) {
                (Ok(mut one), Ok(two)) => {
                    one.warnings.extend(two.warnings);
                    Ok(one)
                }
                (Ok(mut one), Err(e)) => {
                    one.warn(format!("{e}; nothing takes over when the first fails"));
                    Ok(one)
                }
                (Err(e), Ok(mut two)) if e.kind() == ErrorKind::StoreUnavailable => {
                    two.warn(format!("{e}; the second serves what falls back"));
                    Ok(two)
                }
                (Err(e), _) => Err(e),
            }
        }))
    }

    /// Of the one that is worse off.
    fn connection(&self) -> Option<Connection> {
        let both = [self.first.connection(), self.second.connection()];
        both.into_iter().flatten().max_by_key(|connection| match connection.state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            futures::join!(self.first.close(), self.second.close());
        })
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fallback")
    }
}
