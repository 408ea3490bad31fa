//! Single flight in one process: of many that want the same, one fetches it and the others wait.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::key::Key;

/// The flights that are under way.
pub(crate) struct Flights<T>(Arc<Mutex<HashMap<Key, watch::Receiver<Option<T>>>>>);

/// What somebody is who wants a thing.
pub(super) enum Role<T> {
    /// Fetches it.
    Pilot(Flight<T>),
    /// Waits for it.
    Passenger(Landing<T>),
}

/// A flight under way. Dropped without landing, whoever waits looks for another way.
pub(super) struct Flight<T> {
    flights: Flights<T>,
    key: Key,
    landing: watch::Receiver<Option<T>>,
    sender: watch::Sender<Option<T>>,
}

/// Where a flight will land.
pub(super) struct Landing<T>(watch::Receiver<Option<T>>);

impl<T: Clone> Flights<T> {
    /// Joins the flight for `key`, or begins one.
    pub(super) fn join(&self, key: &Key) -> Role<T> {
        let mut flights = self.lock();
        if let Some(landing) = flights.get(key) {
            return Role::Passenger(Landing(landing.clone()));
        }
        let (sender, landing) = watch::channel(None);
        flights.insert(key.clone(), landing.clone());
        Role::Pilot(Flight { flights: Self(Arc::clone(&self.0)), key: key.clone(), landing, sender })
    }

    /// Lets nobody join the flight any more.
    pub(super) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }
}

impl<T> Flights<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Option<T>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Flight<T> {
    /// Gives everybody on board what they came for.
    pub(super) fn land(self, with: T) {
        self.sender.send_replace(Some(with));
    }
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // A later one may have the same key.
        if flights.get(&self.key).is_some_and(|known| known.same_channel(&self.landing)) {
            flights.remove(&self.key);
        }
    }
}

impl<T: Clone> Landing<T> {
    /// `None`: it never will.
    pub(super) async fn landed(&mut self) -> Option<T> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> fmt::Debug for Flights<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flights({} under way)", self.lock().len())
    }
}
