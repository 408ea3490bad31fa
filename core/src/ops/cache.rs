//! `once.cache`: get, set, get_or_load, invalidate.

mod slot;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::time::sleep;

use self::slot::{Entry, Place, Slot};
use super::flight::{Flight, Role};
use super::lease::{self, Pauses};
use super::record::{self, Step, mark};
use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::store::BoxFuture;

/// What any store keeps in one value, with room for the seal.
const MOST_VALUE: usize = 512 * 1024;

/// How long a generation is remembered without a value. A load that takes longer is not stored.
const MEMORY: Duration = Duration::from_secs(600);

/// Values that are costly to make, kept for a while. From [`Oncecode::cache`](crate::Oncecode::cache).
///
/// Of many that miss at once, in any processes, one loads and the others wait for it. What was loaded before an
/// invalidation is not stored after it: each entry has a generation, which an invalidation moves on.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(crate) core: Arc<Core>,
}

/// What [`Cache::get_or_load`], [`Cache::fetch`] and [`Cache::set`] need.
#[derive(Clone)]
#[non_exhaustive]
pub struct CacheRequest {
    /// The name of the entry, 1 to 1024 bytes.
    pub key: String,
    /// How long a value lives, at most 29 days and 1 h by default.
    pub ttl: Duration,
    /// How long it is remembered that there is none, 60 s by default; zero: not at all.
    pub negative_ttl: Duration,
    /// The form of the value: entries of another version count as none. 1 by default.
    pub version: u32,
    /// How long others leave the loading to one who has died, 10 s by default (10 ms to 7 days).
    pub lease: Duration,
    /// How long to wait for another's load before loading as well, 10 s by default.
    pub wait: Duration,
}

/// An entry.
#[derive(Clone)]
#[non_exhaustive]
pub struct Cached {
    /// The value; `None`: it is known that there is none.
    pub value: Option<Value>,
    /// When it was stored, by the clock of whoever did, in milliseconds since the Unix epoch.
    pub cached_at_ms: u64,
    /// The form of the value, as [`CacheRequest::version`].
    pub version: u32,
}

/// What [`Cache::fetch`] finds.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fetched {
    /// The entry.
    Hit(Cached),
    /// Nothing: the caller is the one to load it.
    Miss(Box<Ticket>),
}

/// The duty to load a value. Dropped, it passes to the next.
pub struct Ticket {
    core: Arc<Core>,
    request: CacheRequest,
    place: Place,
    /// What the entry must still have when the value is stored. `None`: it is not stored.
    generation: Option<u64>,
    /// The mark in the entry that keeps others from loading.
    loader: Option<[u8; 16]>,
    flight: Option<Flight<Cached>>,
    runtime: Option<Handle>,
}

impl Cache {
    /// The entry, if it lives and has this version.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`.
    pub fn get(&self, key: &str, version: u32) -> BoxFuture<'static, Result<Option<Cached>>> {
        let (core, key) = (Arc::clone(&self.core), key.to_owned());
        Box::pin(async move {
            let place = Place::of(core.open()?, &key)?;
            let (slot, now, _) = record::read::<Slot>(&core, &place.key).await?;
            slot.live(now, version).map(|sealed| place.open(&core, &slot, sealed)).transpose()
        })
    }

    /// Stores a value, or with `None` that there is none. Loads that began before do not overwrite it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, also for a value of more than 524 288 bytes of JSON; `STORE_UNAVAILABLE`.
    pub fn set(&self, request: CacheRequest, value: Option<Value>) -> BoxFuture<'static, Result<()>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            request.check()?;
            let place = Place::of(core.open()?, &request.key)?;
            core.flights.forget(&place.key);
            let entry = Entry::of(&core, &place, &request, &value)?;
            let entry =
                entry.ok_or_else(|| Error::argument(format!("a value must be at most {MOST_VALUE} bytes of JSON")))?;
            let first = generation(&core)?;
            let stored = record::update(&core, &place.key, |slot: &mut Slot, now| {
                slot.generation = if slot.generation == 0 { first } else { slot.generation.wrapping_add(1).max(1) };
                entry.store(slot, now)
            });
            stored.await
        })
    }

    /// The value, from the cache or else from `load`, which runs once for all that miss at the same time. `None` from
    /// `load` is remembered too, for the negative TTL. Without a store, every process loads for itself.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; what `load` fails with, after which the next one loads.
    pub async fn get_or_load<E, Load, Loading>(&self, request: CacheRequest, load: Load) -> Result<Cached, E>
    where
        E: From<Error>,
        Load: FnOnce() -> Loading,
        Loading: Future<Output = Result<Option<Value>, E>>,
    {
        match self.fetch(request).await? {
            Fetched::Hit(cached) => Ok(cached),
            Fetched::Miss(ticket) => Ok(ticket.fill(load().await?).await?),
        }
    }

    /// The two halves of [`Cache::get_or_load`]: the entry, or the duty to load it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`. A store out of reach is no error: the caller loads.
    pub fn fetch(&self, request: CacheRequest) -> BoxFuture<'static, Result<Fetched>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            request.check()?;
            let place = Place::of(core.open()?, &request.key)?;
            fetch(&core, request, place).await
        })
    }

    /// Forgets an entry, also one that is being loaded. `false`: there was none.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; `STORE_UNAVAILABLE`: the old value may still be there.
    pub fn invalidate(&self, key: &str) -> BoxFuture<'static, Result<bool>> {
        let (core, key) = (Arc::clone(&self.core), key.to_owned());
        Box::pin(async move {
            let place = Place::of(core.open()?, &key)?;
            core.flights.forget(&place.key);
            let forgotten = record::update(&core, &place.key, |slot: &mut Slot, now| {
                // Without a generation nobody is loading either.
                if slot.generation == 0 {
                    return Step::Keep(false);
                }
                let was = slot.sealed.is_some() && !now.left(slot.expires).is_zero();
                *slot = Slot { generation: slot.generation.wrapping_add(1).max(1), ..Slot::default() };
                Step::Write(was, MEMORY)
            });
            forgotten.await
        })
    }
}

impl CacheRequest {
    /// A request with the defaults; set the rest on its public fields.
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            ttl: Duration::from_secs(3600),
            negative_ttl: Duration::from_secs(60),
            version: 1,
            lease: Duration::from_secs(10),
            wait: Duration::from_secs(10),
        }
    }

    fn check(&self) -> Result<()> {
        lease::check("lease", self.lease)?;
        // One day less than the longest, for the generation to outlive the value everywhere.
        let longest = record::LONGEST - Duration::from_secs(86_400);
        if self.ttl < Duration::from_millis(1) || self.ttl > longest || self.negative_ttl > longest {
            return Err(Error::argument(
                "ttl must be above 0 and at most 29 days, and so the negative ttl, which may be 0",
            ));
        }
        Ok(())
    }
}

impl Ticket {
    /// Stores what was loaded, unless the entry was invalidated or set meanwhile, and hands it to those who wait.
    ///
    /// # Errors
    /// None at present: a store that does not take the value is only logged.
    pub fn fill(mut self, value: Option<Value>) -> BoxFuture<'static, Result<Cached>> {
        Box::pin(async move {
            let cached = Cached { value, cached_at_ms: self.core.clock.now_ms(), version: self.request.version };
            match self.store(&cached.value).await {
                Ok(false) => {}
                Ok(true) => self.land(&cached),
                Err(e) => {
                    tracing::warn!(target: "oncecode", error = e.code(), "a loaded value could not be cached");
                    self.land(&cached);
                }
            }
            Ok(cached)
        })
    }

    /// `false`: it is no longer what it was when the load began.
    async fn store(&mut self, value: &Option<Value>) -> Result<bool> {
        let Some(generation) = self.generation else { return Ok(true) };
        let Some(entry) = Entry::of(&self.core, &self.place, &self.request, value)? else {
            return Err(Error::argument("the value is too large"));
        };
        let stored = record::update(&self.core, &self.place.key, |slot: &mut Slot, now| {
            if slot.generation != generation {
                return Step::Keep(false);
            }
            match entry.store(slot, now) {
                Step::Write((), life) => Step::Write(true, life),
                Step::Keep(()) => Step::Keep(true),
            }
        });
        let stored = stored.await?;
        self.loader = None;
        Ok(stored)
    }

    fn land(&mut self, cached: &Cached) {
        if let Some(flight) = self.flight.take() {
            flight.land(cached.clone());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (Some(loader), Some(runtime)) = (self.loader, &self.runtime) else { return };
        let (core, key) = (Arc::clone(&self.core), self.place.key.clone());
        runtime.spawn(async move {
            let freed = record::update(&core, &key, |slot: &mut Slot, _| {
                if slot.loader != loader || slot.sealed.is_some() {
                    return Step::Keep(());
                }
                slot.loader_ends = 0;
                Step::Write((), MEMORY)
            });
            // Otherwise the next one waits until the lease ends.
            let _ = freed.await;
        });
    }
}

async fn fetch(core: &Arc<Core>, request: CacheRequest, place: Place) -> Result<Fetched> {
    let mut waiting = pin!(sleep(request.wait));
    loop {
        let found = match record::read::<Slot>(core, &place.key).await {
            Ok((slot, now, _)) => {
                if let Some(sealed) = slot.live(now, request.version) {
                    return place.open(core, &slot, sealed).map(Fetched::Hit);
                }
                true
            }
            Err(e) if e.kind() == ErrorKind::StoreUnavailable => {
                tracing::warn!(target: "oncecode", error = e.code(), "loading without the cache");
                false
            }
            Err(e) => return Err(e),
        };
        let mut ticket = Ticket {
            core: Arc::clone(core),
            request: request.clone(),
            place: place.clone(),
            generation: None,
            loader: None,
            flight: None,
            runtime: Handle::try_current().ok(),
        };
        let mut landing = match core.flights.join(&place.key) {
            Role::Pilot(flight) => {
                ticket.flight = Some(flight);
                return if found { claim(ticket, waiting.as_mut()).await } else { Ok(Fetched::Miss(Box::new(ticket))) };
            }
            Role::Passenger(landing) => landing,
        };
        tokio::select! {
            landed = landing.landed() => match landed {
                Some(cached) if cached.version == request.version => return Ok(Fetched::Hit(cached)),
                // Nothing was stored: perhaps it is another's turn.
                _ => {}
            },
            () = &mut waiting => return Ok(Fetched::Miss(Box::new(ticket))),
        }
    }
}

/// Becomes the one loader among all processes, or waits for what that one stores.
async fn claim(mut ticket: Ticket, mut waiting: std::pin::Pin<&mut tokio::time::Sleep>) -> Result<Fetched> {
    let (core, request, key) = (Arc::clone(&ticket.core), ticket.request.clone(), ticket.place.key.clone());
    let loader = mark(&lease::token(&*core.random)?);
    let (first, mut pauses) = (generation(&core)?, Pauses::new());
    loop {
        let claimed = record::update(&core, &key, |slot: &mut Slot, now| {
            if slot.live(now, request.version).is_some() {
                return Step::Keep(Claimed::Hit(std::mem::take(slot)));
            }
            let left = now.left(slot.loader_ends);
            if !left.is_zero() && slot.loader != loader {
                return Step::Keep(Claimed::Busy { left, generation: slot.generation });
            }
            let generation = if slot.generation == 0 { first } else { slot.generation };
            *slot = Slot { generation, loader, loader_ends: now.lease(request.lease), ..Slot::default() };
            Step::Write(Claimed::Ours { generation }, request.lease + MEMORY)
        });
        match claimed.await {
            Ok(Claimed::Hit(slot)) => {
                let sealed = slot.sealed.as_deref().unwrap_or_default();
                return ticket.place.open(&core, &slot, sealed).map(Fetched::Hit);
            }
            Ok(Claimed::Ours { generation }) => {
                (ticket.generation, ticket.loader) = (Some(generation), Some(loader));
                return Ok(Fetched::Miss(Box::new(ticket)));
            }
            // Whoever loads as well may store it: the generation decides.
            Ok(Claimed::Busy { generation, .. }) if waiting.is_elapsed() => {
                ticket.generation = Some(generation);
                return Ok(Fetched::Miss(Box::new(ticket)));
            }
            Ok(Claimed::Busy { left, .. }) => {
                let pause = pauses.next(left, &*core.random)?;
                tokio::select! {
                    () = sleep(pause) => {}
                    () = &mut waiting => {}
                }
            }
            Err(e) if e.kind() == ErrorKind::StoreUnavailable => return Ok(Fetched::Miss(Box::new(ticket))),
            Err(e) => return Err(e),
        }
    }
}

enum Claimed {
    Hit(Slot),
    Ours { generation: u64 },
    Busy { left: Duration, generation: u64 },
}

/// One that no lost entry had: loads that began before the loss are not stored.
fn generation(core: &Core) -> Result<u64> {
    let mut bytes = [0; 8];
    core.random.fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes).max(1))
}

impl fmt::Debug for CacheRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheRequest").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("cached_at_ms", &self.cached_at_ms).finish_non_exhaustive()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}
