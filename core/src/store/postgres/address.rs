//! What the URL says, and what a pooler between us and the server needs to be spared.

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::error::{Error, Result};

/// What the driver understands, in the URL's query.
const KNOWN: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// A URL, taken apart.
pub(super) struct Address {
    pub(super) options: PgConnectOptions,
    /// Whether a pooler gives each transaction another connection; `None` where the URL does not say.
    pub(super) pooled: Option<bool>,
}

impl Address {
    /// Understands what libpq's URLs say and, as Prisma and sqlx have it, `pgbouncer=true` and
    /// `statement-cache-capacity=0`.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let mut parsed = Url::parse(url).map_err(|_| malformed())?;
        let (mut pooled, mut kept) = (None, Vec::new());
        for (name, value) in parsed.query_pairs() {
            match (&*name, &*value) {
                ("pgbouncer", "true" | "1") | ("statement-cache-capacity", "0") => pooled = Some(true),
                ("pgbouncer", "false" | "0") => pooled = pooled.or(Some(false)),
                ("pgbouncer", _) => return Err(Error::config("pgbouncer in the store URL is true or false")),
                // Each of our few statements is prepared once; there is nothing to bound.
                ("statement-cache-capacity", _) => {}
                ("sslrootcert" | "ssl-root-cert" | "ssl-ca" | "sslcert" | "ssl-cert" | "sslkey" | "ssl-key", path)
                    if std::fs::File::open(path).is_err() =>
                {
                    return Err(Error::config("a TLS file that the store URL names cannot be read"));
                }
                (known, _) if KNOWN.contains(&known) || known.starts_with("options[") => {
                    kept.push((name.into_owned(), value.into_owned()));
                }
                // The driver would log the value as well, which may be a password.
                (unknown, _) => tracing::warn!(target: "oncecode", "the store URL's parameter {unknown} is ignored"),
            }
        }
        parsed.set_query(None);
        if !kept.is_empty() {
            parsed.query_pairs_mut().extend_pairs(kept);
        }
        let options = PgConnectOptions::from_str(parsed.as_str()).map_err(|_| malformed())?;
        // PgBouncer refuses start-up parameters that it does not know, this one among them; we read no such numbers.
        Ok(Self { options: options.extra_float_digits(None).disable_statement_logging(), pooled })
    }
}

fn malformed() -> Error {
    Error::config("the store URL is malformed; write postgres://USER:PASSWORD@HOST:PORT/DATABASE")
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn a_url_may_say_that_a_pooler_is_there() {
        for (query, pooled) in [
            ("", None),
            ("?sslmode=disable", None),
            ("?pgbouncer=true", Some(true)),
            ("?pgbouncer=true&connection_limit=1&schema=public", Some(true)),
            ("?statement-cache-capacity=0", Some(true)),
            ("?statement-cache-capacity=100", None),
            ("?pgbouncer=false", Some(false)),
        ] {
            let address = Address::parse(&format!("postgres://u:p@h:1/d{query}"));
            assert_eq!(address.expect(query).pooled, pooled, "{query}");
        }
        for bad in ["postgres://h/d?pgbouncer=maybe", "postgres://[", "postgres://h/d?sslmode=odd"] {
            assert_eq!(Address::parse(bad).err().map(|e| e.code()), Some("CONFIG"), "{bad}");
        }
    }
}
