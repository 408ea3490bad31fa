//! What the URL says.

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::mysql::MySqlConnectOptions;
use url::Url;

use crate::error::{Error, Result};

const FILES: [&str; 6] = ["ssl-ca", "sslca", "ssl-cert", "sslcert", "ssl-key", "sslkey"];
const MODES: [&str; 2] = ["ssl-mode", "sslmode"];

/// Understands `mysql://USER:PASSWORD@HOST:PORT/DATABASE` with `ssl-mode`, `ssl-ca`, `ssl-cert`, `ssl-key` and `socket`.
pub(super) fn parse(url: &str) -> Result<MySqlConnectOptions> {
    let parsed = Url::parse(url).map_err(|_| malformed())?;
    for (name, value) in parsed.query_pairs() {
        let lower = name.to_ascii_lowercase();
        if FILES.contains(&&*name) {
            let is_inline = value.trim().starts_with("-----BEGIN");
            if !is_inline && std::fs::File::open(&*value).is_err() {
                return Err(Error::config(format!("the store URL's {name} names a file that cannot be read")));
            }
        } else if (lower.contains("ssl") || lower.contains("tls")) && !MODES.contains(&&*name) {
            // The driver would pass it over, and leave open what somebody thought was safe.
            return Err(Error::config(
                "the store URL has an unknown parameter about TLS; there are ssl-mode, ssl-ca, ssl-cert and ssl-key",
            ));
        }
    }
    let options = MySqlConnectOptions::from_str(url).map_err(|_| malformed())?.disable_statement_logging();
    // All of it is in our own setup.
    Ok(options.pipes_as_concat(false).no_engine_substitution(false).timezone(None).set_names(false))
}

fn malformed() -> Error {
    Error::config("the store URL is malformed; write mysql://USER:PASSWORD@HOST:PORT/DATABASE")
}
