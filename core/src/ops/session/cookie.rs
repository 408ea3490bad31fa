//! The cookie that carries a session's token. Pure functions: no store, no clock.

use std::time::Duration;

use crate::config::{Mode, SessionPolicy};
use crate::error::{Error, Result};

/// The cookie's name: `__Host-` binds it to this host, its whole path and TLS, which development has not.
fn name(policy: &SessionPolicy, mode: Mode) -> String {
    match mode {
        Mode::Production => format!("__Host-{}", policy.cookie_name),
        Mode::Development => policy.cookie_name.clone(),
    }
}

/// A `Set-Cookie` value. No script reads it (HttpOnly), no other site's form sends it (SameSite=Lax).
pub(super) fn set(policy: &SessionPolicy, mode: Mode, token: &str, life: Duration) -> Result<String> {
    // Whatever could begin another attribute or header is no token of ours.
    if token.bytes().any(|b| !(b.is_ascii_alphanumeric() || b"_-".contains(&b))) {
        return Err(Error::argument("token must be a session's token"));
    }
    let secure = if mode == Mode::Production { "; Secure" } else { "" };
    // Browsers keep nothing longer (RFC 6265bis).
    let (name, seconds) = (name(policy, mode), life.as_secs().min(400 * 86_400));
    Ok(format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"))
}

/// The token in a `Cookie` header. `None`: not there, or there twice, which no browser sends for one host.
pub(super) fn read(policy: &SessionPolicy, mode: Mode, header: &str) -> Option<String> {
    let name = name(policy, mode);
    let mut found = header.split(';').filter_map(|pair| pair.trim().split_once('=')).filter(|(n, _)| *n == name);
    let (_, value) = found.next()?;
    found.next().is_none().then(|| value.trim_matches('"').to_owned()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SessionOptions;

    #[test]
    fn a_cookie_is_safe_in_production_and_works_without_tls_in_development() {
        let policy = SessionOptions::default().check().expect("a policy");
        let life = Duration::from_secs(60);
        assert_eq!(
            set(&policy, Mode::Production, "a-b_C", life).expect("a cookie"),
            "__Host-session=a-b_C; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            set(&policy, Mode::Development, "", Duration::ZERO).expect("a cookie"),
            "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
        for bad in ["a;b", "a\r\nb", "a b", "ä"] {
            assert!(set(&policy, Mode::Production, bad, life).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_header_gives_the_token_back_and_nothing_else() {
        let policy = SessionOptions::default().check().expect("a policy");
        let read = |header: &str| read(&policy, Mode::Production, header);
        assert_eq!(read("a=1; __Host-session=tok; b=2").as_deref(), Some("tok"));
        assert_eq!(read("__Host-session=\"tok\"").as_deref(), Some("tok"));
        for none in
            ["", "session=tok", "x__Host-session=tok", "__Host-session=", "__Host-session=a; __Host-session=b", ";;="]
        {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
