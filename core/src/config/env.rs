//! The environment, under our names and those that apps already have.

use url::Url;

use super::options::{Mode, Options, SecretOption};
use super::policy::LimitOption;
use super::sender::{SenderOption, SenderSpec};
use super::token::TokenKey;
use crate::error::{Error, Result};
use crate::secret::Secret;

const UPSTASH_URL: &str = "UPSTASH_REDIS_REST_URL";
const UPSTASH_TOKEN: &str = "UPSTASH_REDIS_REST_TOKEN";
/// Last, since what it names often is but the app's cache.
const MEMCACHED: &str = "MEMCACHED_SERVERS";

/// The store URL and options that the environment names. `var` looks a variable up; empty counts as unset.
///
/// Store: `ONCECODE_STORE`, else `DATABASE_URL` where `USE_DATABASE=true`, else `REDIS_URL`, else
/// `UPSTASH_REDIS_REST_URL` with `UPSTASH_REDIS_REST_TOKEN`, else `DATABASE_URL`, else `MEMCACHED_SERVERS`, else (in
/// development) `memory:`.
/// Secret: `ONCECODE_SECRET`, else `SESSION_SECRET`. Tokens: `JWT_SECRET` is their HS256 key. Sender: `ONCECODE_SENDER`
/// (one URL, or several with spaces between them), else `SMS_PROVIDER`, and after it `sendgrid:` where there is a
/// `SENDGRID_API_KEY`. What these leave out of their URLs they look up themselves: docs/senders.md. Mode: `ONCECODE_MODE`, else `NODE_ENV`; anything but `development` and `test` is production.
pub(crate) fn from_env(var: impl Fn(&str) -> Option<String>) -> Result<(String, Options)> {
    let first = |names: &[&str]| names.iter().find_map(|n| var(n).filter(|v| !v.trim().is_empty()));
    let flag = |name: &str| {
        first(&[name]).map(|v| matches!(v.trim().to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "on"))
    };

    let mut options = Options::default();
    if let Some("development" | "test") = first(&["ONCECODE_MODE", "NODE_ENV"]).as_deref() {
        options.mode = Mode::Development;
    }
    options.secret =
        SecretOption(first(&["ONCECODE_SECRET", "SESSION_SECRET"]).map(Secret::from).into_iter().collect());
    options.tokens.keys = first(&["JWT_SECRET"])
        .map(|secret| TokenKey::Secret { secret: secret.into(), kid: None })
        .into_iter()
        .collect();
    options.sender = match flag("ENABLE_REAL_OTP") {
        Some(false) if options.mode == Mode::Development => "console:".into(),
        _ => senders(&first),
    };
    if flag("ENABLE_RATE_LIMIT") == Some(false) {
        let off = Some(LimitOption::Off);
        options.rate_limits = Some(false);
        let policy = &mut options.policy;
        (policy.issue_limit, policy.verify_limit, policy.ip_issue_limit, policy.ip_verify_limit) = (off, off, off, off);
    }

    let stores: &[&str] = match flag("USE_DATABASE") {
        Some(true) => &["ONCECODE_STORE", "DATABASE_URL"],
        _ => &["ONCECODE_STORE", "REDIS_URL", UPSTASH_URL, "DATABASE_URL", MEMCACHED],
    };
    match stores.iter().find_map(|name| first(&[name]).map(|url| (*name, url))) {
        Some((UPSTASH_URL, url)) => Ok((upstash(&url, first(&[UPSTASH_TOKEN]))?, options)),
        Some((MEMCACHED, servers)) => Ok((memcached(&servers), options)),
        Some((_, url)) => Ok((url, options)),
        None if options.mode == Mode::Development => Ok(("memory:".into(), options)),
        None => Err(Error::config(format!("no store named; set one of {}", stores.join(", ")))),
    }
}

/// The two variables of Upstash's console as one URL.
fn upstash(url: &str, token: Option<String>) -> Result<String> {
    let token = token.ok_or_else(|| Error::config(format!("{UPSTASH_URL} is set, but {UPSTASH_TOKEN} is not")))?;
    let parsed = Url::parse(url.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let wrong = || Error::config(format!("{UPSTASH_URL} is an https:// address; redis:// goes into REDIS_URL"));
    let mut parsed = parsed.ok_or_else(wrong)?;
    parsed.set_password(Some(token.trim())).map_err(|()| wrong())?;
    Ok(format!("upstash+{parsed}"))
}

/// Its servers stand between commas, semicolons or spaces; some name the scheme as well.
fn memcached(servers: &str) -> String {
    let between = |c: char| c == ',' || c == ';' || c.is_whitespace();
    let hosts = servers.split(between).map(|host| host.trim_start_matches("memcached://"));
    format!("memcached://{}", hosts.filter(|host| !host.is_empty()).collect::<Vec<_>>().join(","))
}

fn senders(first: &impl Fn(&[&str]) -> Option<String>) -> SenderOption {
    let ours = first(&["ONCECODE_SENDER"]);
    let urls: Vec<String> = match &ours {
        Some(urls) => urls.split_whitespace().map(str::to_owned).collect(),
        None => {
            let phones = first(&["SMS_PROVIDER"]).map(provider);
            // It says who sends SMS; emails have a provider of their own. The console shows both.
            let emails = first(&["SENDGRID_API_KEY"]).filter(|_| phones.as_deref() != Some("console:"));
            let emails = emails.map(|_| "sendgrid:".to_owned()).filter(|_| phones.as_deref() != Some("sendgrid:"));
            phones.into_iter().chain(emails).collect()
        }
    };
    SenderOption(urls.into_iter().map(SenderSpec::Url).collect())
}

/// `SMS_PROVIDER=mock` is the console; others are schemes without their colon.
fn provider(name: String) -> String {
    match name.trim() {
        "mock" | "console" => "console:".into(),
        other => format!("{other}:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<(String, Options)> {
        from_env(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn our_names_come_first_then_those_that_apps_have() {
        let vars = [("REDIS_URL", "redis://r"), ("DATABASE_URL", "postgres://d"), ("NODE_ENV", "development")];
        assert_eq!(read(&vars).expect("env").0, "redis://r");
        assert_eq!(read(&[&vars[..], &[("USE_DATABASE", "true")]].concat()).expect("env").0, "postgres://d");
        assert_eq!(read(&[&vars[..], &[("ONCECODE_STORE", "sqlite:x")]].concat()).expect("env").0, "sqlite:x");
        assert_eq!(read(&vars[2..]).expect("env").0, "memory:");
    }

    #[test]
    fn upstashs_two_variables_are_one_url() {
        let (url, token) = ((UPSTASH_URL, "https://h.upstash.io"), (UPSTASH_TOKEN, "to/k=en"));
        let database = ("DATABASE_URL", "postgres://d");
        assert_eq!(read(&[url, token, database]).expect("env").0, "upstash+https://:to%2Fk%3Den@h.upstash.io/");
        assert_eq!(read(&[url, token, ("REDIS_URL", "redis://r")]).expect("env").0, "redis://r");
        assert_eq!(read(&[url, token, database, ("USE_DATABASE", "true")]).expect("env").0, "postgres://d");
        for bad in [&[url][..], &[(UPSTASH_URL, "redis://h"), token], &[(UPSTASH_URL, "h.upstash.io"), token]] {
            let error = read(bad).map(|_| ()).expect_err("no store");
            assert!(
                error.to_string().contains("UPSTASH_REDIS_REST_") && !error.to_string().contains("to/k"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_servers_of_memcached_are_a_list_and_come_last() {
        for servers in ["a:1,b", " a:1 ; b ", "a:1 b", "memcached://a:1,memcached://b"] {
            assert_eq!(read(&[("MEMCACHED_SERVERS", servers)]).expect("env").0, "memcached://a:1,b", "{servers:?}");
        }
        let (servers, database) = (("MEMCACHED_SERVERS", "a"), ("DATABASE_URL", "postgres://d"));
        assert_eq!(read(&[servers, database]).expect("env").0, "postgres://d");
        assert!(read(&[servers, ("USE_DATABASE", "true"), ("NODE_ENV", "production")]).is_err());
    }

    #[test]
    fn production_is_the_default_and_wants_a_store() {
        assert!(read(&[]).is_err());
        assert_eq!(read(&[("REDIS_URL", "redis://r"), ("NODE_ENV", "staging")]).expect("env").1.mode, Mode::Production);
    }

    #[test]
    fn phones_and_emails_have_the_senders_that_are_named() {
        let senders = |vars: &[(&str, &str)]| -> Vec<SenderSpec> {
            read(&[vars, &[("NODE_ENV", "development")]].concat()).expect("env").1.sender.0
        };
        let urls = |urls: &[&str]| -> Vec<_> { urls.iter().map(|url| SenderSpec::Url((*url).to_owned())).collect() };
        let (sms, key) = (("SMS_PROVIDER", "twilio"), ("SENDGRID_API_KEY", "SG.x"));
        assert_eq!(senders(&[sms]), urls(&["twilio:"]));
        assert_eq!(senders(&[sms, key]), urls(&["twilio:", "sendgrid:"]));
        assert_eq!(senders(&[key]), urls(&["sendgrid:"]));
        assert_eq!(senders(&[("SMS_PROVIDER", "msg91"), key]), urls(&["msg91:", "sendgrid:"]));
        assert_eq!(senders(&[("SMS_PROVIDER", "mock"), key]), urls(&["console:"]));
        assert_eq!(senders(&[sms, key, ("ONCECODE_SENDER", "msg91:  smtp://h")]), urls(&["msg91:", "smtp://h"]));
        assert_eq!(senders(&[sms, ("ENABLE_REAL_OTP", "false")]), urls(&["console:"]));
        assert!(senders(&[]).is_empty());
    }

    #[test]
    fn the_seeds_flags_are_understood() {
        let (_, options) =
            read(&[("NODE_ENV", "development"), ("SMS_PROVIDER", "mock"), ("ENABLE_RATE_LIMIT", "false")])
                .expect("env");
        assert_eq!(options.sender, "console:".into());
        assert_eq!(options.policy.issue_limit, Some(LimitOption::Off));
        assert_eq!(options.policy.failure_budget, None, "the failure budget is not a rate limit");
    }
}
