//! Whose request it is, and what limits count for an address.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use crate::error::{Error, Result};

/// So many hops of `X-Forwarded-For` are looked at; no honest chain is longer.
const HOPS: usize = 32;

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Addresses, networks (`10.0.0.0/8`), and the names `loopback`, `linklocal` and `uniquelocal` (private networks).
    pub(crate) fn new(given: &[String]) -> Result<Self> {
        let mut nets = Vec::new();
        for text in given {
            let named: &[&str] = match text.trim() {
                "loopback" => &["127.0.0.0/8", "::1/128"],
                "linklocal" => &["169.254.0.0/16", "fe80::/10"],
                "uniquelocal" => &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
                other => &[other],
            };
            for net in named {
                let parsed = net.parse().or_else(|_| net.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical())));
                nets.push(parsed.map_err(|_| {
                    Error::config("trustedProxies must be addresses, networks such as 10.0.0.0/8, or 'loopback', 'linklocal', 'uniquelocal'")
                })?);
            }
        }
        Ok(Self(nets))
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&ip))
    }

    /// The address of whoever sent the request: from the connection's own address, back through `X-Forwarded-For` from
    /// right to left, as long as the last one is a trusted proxy. What a client writes there itself is never reached.
    pub(crate) fn client(&self, remote: &str, forwarded_for: Option<&str>) -> Result<IpAddr> {
        let mut client = parse(remote)?;
        for hop in forwarded_for.unwrap_or_default().rsplit(',').take(HOPS) {
            if !self.trusts(client) {
                break;
            }
            // A proxy that is trusted, but wrote no address: it is the last known.
            let Ok(next) = parse(without_port(hop.trim())) else { break };
            client = next;
        }
        Ok(client)
    }
}

/// What a limit counts for an address: IPv4 whole (IPv4-mapped folded), IPv6 by its /64, which one subscriber has whole.
pub(crate) fn network(ip: &str) -> Result<String> {
    Ok(match parse(ip)? {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).to_string(),
    })
}

fn parse(ip: &str) -> Result<IpAddr> {
    let bare = ip.trim().split('%').next().unwrap_or_default();
    let parsed: IpAddr = bare.parse().map_err(|_| Error::argument("ip must be an IPv4 or IPv6 address"))?;
    Ok(parsed.to_canonical())
}

/// Some proxies write `192.0.2.7:4711` and `[2001:db8::1]:4711`.
fn without_port(hop: &str) -> &str {
    match hop.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None if hop.matches(':').count() == 1 => hop.split(':').next().unwrap_or_default(),
        None => hop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], remote: &str, forwarded_for: &str) -> String {
        let trusted: Vec<_> = trusted.iter().map(|t| (*t).to_owned()).collect();
        let proxies = TrustedProxies::new(&trusted).expect("proxies");
        proxies.client(remote, Some(forwarded_for)).expect("an address").to_string()
    }

    #[test]
    fn addresses_of_one_subscriber_count_together() {
        assert_eq!(network("::ffff:192.0.2.7").expect("mapped"), network("192.0.2.7").expect("plain"));
        assert_eq!(network("2001:db8:1:2::1").expect("v6"), network("2001:db8:1:2:ffff::9").expect("v6"));
        assert_ne!(network("2001:db8:1:2::1").expect("v6"), network("2001:db8:1:3::1").expect("v6"));
        assert!(network("fe80::1%eth0").is_ok());
        for bad in ["", "1.2.3", "localhost", "1.2.3.4, 5.6.7.8", "\0"] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_is_believed_without_a_list() {
        assert_eq!(client(&[], "192.0.2.1", "6.6.6.6"), "192.0.2.1");
    }

    #[test]
    fn the_list_is_walked_from_right_to_left() {
        let trusted = ["loopback", "10.0.0.0/8"];
        assert_eq!(client(&trusted, "127.0.0.1", "6.6.6.6, 203.0.113.9, 10.1.2.3"), "203.0.113.9");
        assert_eq!(client(&trusted, "::ffff:127.0.0.1", "6.6.6.6, [2001:db8::7]:443"), "2001:db8::7");
        assert_eq!(client(&trusted, "127.0.0.1", "203.0.113.9:50000"), "203.0.113.9");
        assert_eq!(client(&trusted, "203.0.113.1", "6.6.6.6"), "203.0.113.1", "a stranger's header means nothing");
        assert_eq!(client(&trusted, "127.0.0.1", ""), "127.0.0.1");
        assert_eq!(client(&trusted, "127.0.0.1", "6.6.6.6, unknown, 10.0.0.1"), "10.0.0.1");
        assert_eq!(client(&["192.0.2.1"], "192.0.2.1", "6.6.6.6"), "6.6.6.6");
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        for bad in ["", "10.0.0.0/99", "everybody", "1.2.3"] {
            assert!(TrustedProxies::new(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
