//! The versions of users' tokens in a table of the app's own: which databases can be asked, and what they are told.

use std::fmt::Debug;

use super::BoxFuture;
use crate::error::{Error, Result};

/// The column of versions. The app owns the table: nothing is made or altered, only this one column is written.
pub(crate) trait Users: Debug + Send + Sync {
    /// The version of a user's tokens. `None`: there is no such user.
    fn version<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Result<Option<u64>>>;

    /// Raises the version by one and says what it is now, in one statement.
    fn raise<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Result<Option<u64>>>;

    /// Releases connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Names of letters, digits and underscores, which is checked before they come here.
#[derive(Clone, Debug)]
pub(crate) struct UsersTable {
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
    pub(crate) id: String,
    pub(crate) version: String,
}

#[cfg_attr(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")), allow(dead_code))]
impl UsersTable {
    /// The table's name in quotes, with its schema.
    pub(super) fn name(&self, quote: char) -> String {
        let quoted = |name: &String| format!("{quote}{name}{quote}");
        let schema = self.schema.as_ref().map(|schema| quoted(schema) + ".").unwrap_or_default();
        schema + &quoted(&self.table)
    }

    /// Puts the names into a statement that has them as `{table}`, `{id}` and `{version}`.
    pub(super) fn named(&self, sql: &str, quote: char) -> String {
        let quoted = |name: &String| format!("{quote}{name}{quote}");
        let sql = sql.replace("{table}", &self.name(quote)).replace("{id}", &quoted(&self.id));
        sql.replace("{version}", &quoted(&self.version))
    }

    pub(super) fn no_table(&self) -> Error {
        Error::config(format!(
            "tokens.users: the database has no table {} that this user may read; set table, with its schema and in its \
             own case",
            self.name('"')
        ))
    }

    /// Which of the two columns is missing.
    pub(super) fn no_column(&self, has_id: bool) -> Error {
        let (table, id, version) = (self.name('"'), &self.id, &self.version);
        Error::config(match has_id {
            false => format!("tokens.users: the table {table} has no column \"{id}\"; set idColumn"),
            true => format!(
                "tokens.users: the table {table} has no column \"{version}\"; set versionColumn, or add it: ALTER TABLE \
                 {table} ADD COLUMN {version} bigint NOT NULL DEFAULT 0"
            ),
        })
    }

    /// A column of a type that versions or ids cannot have.
    pub(super) fn wrong_type(&self, is_id: bool, found: &str) -> Error {
        let (column, wanted) = match is_id {
            true => (&self.id, "a whole number, text or uuid"),
            false => (&self.version, "integer or bigint"),
        };
        Error::config(format!("tokens.users: the column \"{column}\" must be {wanted}, and is {found}"))
    }
}
