//! Where the app keeps its users' token versions.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::policy::duration;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// The app's own table of users, whose column says which version a user's tokens must have. Names in JSON are
/// camelCase; snake_case is understood as well.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct UsersOptions {
    /// The database: `postgres://…`, `mysql://…` or `sqlite:PATH`. Default: the store's, where that is one of these.
    #[serde(deserialize_with = "hidden")]
    pub url: Option<Secret>,
    /// The table, with its schema (MySQL: its database) before a dot if need be. Default `users`.
    pub table: Option<String>,
    /// The column that tokens name in `sub`: whole numbers, text or UUIDs, and unique. Default `id`.
    #[serde(alias = "id_column")]
    pub id_column: Option<String>,
    /// The column of the version: `integer` or `bigint`. Default `token_version`.
    #[serde(alias = "version_column")]
    pub version_column: Option<String>,
    /// For how many seconds the store may go on with what it was told of a version: so late is seen what the app changes
    /// by SQL of its own. Default 60, at most 3600; 0 asks the table each time a process does not know.
    #[serde(alias = "cache_seconds")]
    pub cache_seconds: Option<f64>,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct UsersPolicy {
    pub(crate) url: Option<Secret>,
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) cache: Duration,
}

impl UsersOptions {
    pub(crate) fn check(&self) -> Result<UsersPolicy> {
        let given = |name: &Option<String>, default: &str| name.clone().unwrap_or_else(|| default.to_owned());
        let table = given(&self.table, "users");
        let (schema, table) = match table.split_once('.') {
            Some((schema, table)) => (Some(name("table", schema)?), name("table", table)?),
            None => (None, name("table", &table)?),
        };
        let id = name("idColumn", &given(&self.id_column, "id"))?;
        let version = name("versionColumn", &given(&self.version_column, "token_version"))?;
        if id == version {
            return Err(Error::config("tokens.users: idColumn and versionColumn must be two columns"));
        }
        let cache = duration("tokens.users.cacheSeconds", self.cache_seconds.unwrap_or(60.0), 3600.0)?;
        Ok(UsersPolicy { url: self.url.clone(), schema, table, id, version, cache })
    }
}

/// Names that need no escaping within quotes, in any database. They are quoted all the same, which keeps their case.
fn name(option: &str, name: &str) -> Result<String> {
    let safe = name
        .bytes()
        .enumerate()
        .all(|(at, byte)| byte.is_ascii_alphabetic() || byte == b'_' || (at > 0 && byte.is_ascii_digit()));
    match safe && (1..=63).contains(&name.len()) {
        true => Ok(name.to_owned()),
        false => Err(Error::config(format!(
            "tokens.users.{option} must be 1 to 63 letters, digits or '_', not beginning with a digit"
        ))),
    }
}

/// A URL may hold a password.
fn hidden<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer);
    text.map(|url| url.map(Secret::from)).map_err(|_| serde::de::Error::custom("url must be a string"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<UsersPolicy> {
        serde_json::from_str::<UsersOptions>(json).expect(json).check()
    }

    #[test]
    fn names_have_defaults_and_may_have_a_schema() {
        let users = checked("{}").expect("the defaults");
        assert_eq!((users.schema, &*users.table, &*users.id, &*users.version), (None, "users", "id", "token_version"));
        assert_eq!(users.cache, Duration::from_secs(60));
        let users = checked(r#"{"table":"auth.Accounts","id_column":"userId","versionColumn":"v"}"#).expect("given");
        assert_eq!((users.schema.as_deref(), &*users.table, &*users.id), (Some("auth"), "Accounts", "userId"));
    }

    #[test]
    fn a_name_that_could_leave_its_quotes_is_refused() {
        let bad =
            ["", "a b", "a;b", "a.b.c", "a\"b", "a`b", "a'b", "1a", "a-b", "é", "a\0", &"a".repeat(64), ".a", "a."];
        for name in bad {
            for option in ["table", "idColumn", "versionColumn"] {
                let json = serde_json::json!({ option: name }).to_string();
                assert_eq!(checked(&json).expect_err(&json).code(), "CONFIG");
            }
        }
        for json in [r#"{"idColumn":"a","versionColumn":"a"}"#, r#"{"cacheSeconds":3601}"#, r#"{"cacheSeconds":-1}"#] {
            assert_eq!(checked(json).expect_err(json).code(), "CONFIG");
        }
    }

    #[test]
    fn a_url_is_not_shown() {
        let users: UsersOptions = serde_json::from_str(r#"{"url":"postgres://u:hunter2@h/d"}"#).expect("options");
        assert!(!format!("{users:?}").contains("hunter2"));
        let said = serde_json::from_str::<UsersOptions>(r#"{"url":["hunter2"]}"#).expect_err("a list").to_string();
        assert!(!said.contains("hunter2"), "{said}");
    }
}
