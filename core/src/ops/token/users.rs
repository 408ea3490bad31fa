//! Versions from the app's own table of users: the table knows, the store and this process remember for a while.

use std::time::Duration;

use super::ROUNDS;
use super::state::State;
use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Tag;
use crate::store::When;

/// What the table says of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// No table is named, or the token has no user.
    Unused,
    /// There is no such user, any more or at all.
    Absent,
    /// Tokens must have this version.
    Version(u64),
}

impl Column {
    /// For who needs the user.
    pub(super) fn present(self) -> Result<Self> {
        let absent = "there is no such user in the table of tokens.users: store the user first, and give the id as \
                      the column has it";
        if self == Column::Absent { Err(Error::argument(absent)) } else { Ok(self) }
    }
}

impl Core {
    /// What this process knows.
    pub(super) fn known_column(&self, user: Option<&str>) -> Option<Column> {
        let (Some(_), Some(user)) = (&self.users, user) else { return Some(Column::Unused) };
        let tag = self.column_tag(user);
        let known = self.token_cache.get(&tag.0, self.clock.elapsed(), self.settings.tokens.cache);
        known.map(|state| Column::Version(state.version))
    }

    /// What the store remembers, or else what the table says.
    pub(super) async fn learn_column(&self, user: Option<&str>) -> Result<Column> {
        let (Some(_), Some(user)) = (&self.users, user) else { return Ok(Column::Unused) };
        if !self.settings.tokens.column_life().is_zero() {
            let (tag, asked) = (self.column_tag(user), self.clock.elapsed());
            if let Some((state, _)) = self.find_state(&tag).await? {
                return Ok(Column::Version(self.know(&tag, state, asked).version));
            }
        }
        self.ask_column(user).await
    }

    /// What the table says.
    pub(super) async fn ask_column(&self, user: &str) -> Result<Column> {
        let (Some(users), asked) = (&self.users, self.clock.elapsed()) else { return Ok(Column::Unused) };
        match users.version(user).await? {
            None => Ok(Column::Absent),
            Some(version) => self.remember(user, version, asked).await,
        }
    }

    /// Raises the version in the table, and in what is remembered.
    pub(super) async fn raise_column(&self, user: &str) -> Result<Column> {
        let (Some(users), asked) = (&self.users, self.clock.elapsed()) else { return Ok(Column::Unused) };
        match users.raise(user).await? {
            None => Ok(Column::Absent),
            Some(version) => self.remember(user, version, asked).await,
        }
    }

    /// A higher version stays: whoever read the table before it was raised comes too late.
    async fn remember(&self, user: &str, version: u64, asked: Duration) -> Result<Column> {
        let (tag, life) = (self.column_tag(user), self.settings.tokens.column_life());
        let own = State { version, stamp: version, revoked: Vec::new() };
        let known = |state| Ok(Column::Version(self.know(&tag, state, asked).version));
        if life.is_zero() {
            return known(own);
        }
        for _ in 0..ROUNDS {
            let (found, when) = self.read_state(&tag).await?;
            // What is there is not refreshed: its time began when the table was asked.
            if found.version > version || (found.version == version && matches!(when, When::Version(_))) {
                return known(found);
            }
            if self.store.put(&self.keys.tagged("token", &tag), &own.encode(), life, when).await? {
                return known(own);
            }
        }
        Err(Error::new(ErrorKind::StoreUnavailable, "too many revocations of one user at once"))
    }

    fn column_tag(&self, user: &str) -> Tag {
        self.ring.tag(&["token-column", user])
    }
}
