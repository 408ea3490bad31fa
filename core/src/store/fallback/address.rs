//! The URL of two.

use crate::error::{Error, Result};

/// `fallback:FIRST|SECOND` as two URLs. A `|` within one of them is written `%7C`, as in any URL.
///
/// # Errors
/// `CONFIG`. The URLs may hold passwords, so messages never repeat them.
pub(super) fn parts(url: &str) -> Result<[String; 2]> {
    let both = url.split_once(':').map_or("", |(_scheme, both)| both);
    let parts: Vec<&str> = both.split('|').map(str::trim).collect();
    let [first, second] = parts[..] else {
        return Err(Error::config("write fallback:FIRST|SECOND with two store URLs; a | within one of them is %7C"));
    };
    for part in [first, second] {
        match scheme(part).as_str() {
            "" => return Err(Error::config("write fallback:FIRST|SECOND, where each part is a whole store URL")),
            "fallback" | "moving" => return Err(Error::config("a part of fallback: must be a store, not two of them")),
            "memory" => return Err(Error::config(PRIVATE)),
            "sqlite" if part.contains(":memory:") || part.contains("mode=memory") => {
                return Err(Error::config(PRIVATE));
            }
            _ => {}
        }
    }
    match server(first) == server(second) {
        true => Err(Error::config("both parts of fallback: are the same server or file; one outage takes both")),
        false => Ok([first.to_owned(), second.to_owned()]),
    }
}

const PRIVATE: &str =
    "memory is no part of fallback: other processes would not see what is in it; use sqlite:PATH or a server";

fn scheme(url: &str) -> String {
    url.split_once(':').map_or(String::new(), |(scheme, _)| scheme.to_ascii_lowercase())
}

/// What can be told of where it is: the protocol and the hosts, or the file.
fn server(url: &str) -> (String, Vec<String>) {
    let scheme = scheme(url);
    let rest = url[scheme.len()..].trim_start_matches(':').trim_start_matches("//");
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let base = scheme.split('+').next().unwrap_or_default();
    let (family, port) = match base {
        "redis" | "rediss" | "valkey" => ("redis", ":6379"),
        "postgres" | "postgresql" => ("postgres", ":5432"),
        "mysql" | "mariadb" => ("mysql", ":3306"),
        "memcached" => ("memcached", ":11211"),
        "sqlite" => {
            let path = std::path::absolute(rest).unwrap_or_else(|_| rest.into());
            return ("sqlite".into(), vec![path.display().to_string()]);
        }
        _ => (&*scheme, ""),
    };
    let rest = rest.rsplit_once('@').map_or(rest, |(_credentials, rest)| rest);
    // A Unix socket has no host, and its path says which it is.
    let hosts = if rest.starts_with('/') { rest } else { rest.split('/').next().unwrap_or_default() };
    let has_port = |host: &str| host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let mut hosts: Vec<String> = hosts.to_ascii_lowercase().split(',').map(str::to_owned).collect();
    for host in hosts.iter_mut().filter(|host| !host.starts_with('/') && !has_port(host)) {
        host.push_str(port);
    }
    hosts.sort();
    (family.to_owned(), hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_urls_are_read() {
        let read = |url| parts(url).expect(url);
        assert_eq!(read("fallback:redis://a|sqlite:b.db"), ["redis://a", "sqlite:b.db"]);
        assert_eq!(
            read("FALLBACK: redis+cluster://a:1,b:2 | postgres://u:p%7C@a:1/d?x=1"),
            ["redis+cluster://a:1,b:2", "postgres://u:p%7C@a:1/d?x=1"]
        );
        read("fallback:redis://a:1|redis://a:2");
    }

    #[test]
    fn what_cannot_be_a_fallback_is_refused_and_not_repeated() {
        for bad in [
            "fallback:",
            "fallback:redis://hunter2",
            "fallback:redis://hunter2|",
            "fallback:redis://hunter2|b",
            "fallback:redis://hunter2|sqlite:b|sqlite:c",
            "fallback:redis://hunter2|fallback:sqlite:b",
            "fallback:redis://hunter2|memory:",
            "fallback:memory:|redis://hunter2",
            "fallback:redis://hunter2|sqlite::memory:",
            "fallback:redis://:hunter2@h|rediss://H:6379/3",
            "fallback:redis+unix:///a/b|redis+unix:///a/b",
            "fallback:redis+cluster://hunter2:1,b:2|redis+cluster://b:2,hunter2:1",
            "fallback:postgres://u:hunter2@h/d|postgresql://h:5432/e",
            "fallback:sqlite:hunter2.db|sqlite:./hunter2.db",
        ] {
            let error = parts(bad).expect_err(bad);
            assert_eq!(error.code(), "CONFIG", "{bad}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
