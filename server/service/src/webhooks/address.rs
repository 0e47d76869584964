//! Where a webhook may go. A lead names the address and the server calls it, so the server's own network must not be
//! reachable that way: private, loopback and special addresses are refused, by what the name resolves to at the
//! moment of sending, unless the operator allows them.

use reqwest::Url;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which addresses may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only those of the public internet.
    Public,
    /// Private and loopback ones too.
    Anywhere,
}

/// A checked address: what to call, and where it is.
#[derive(Debug)]
pub(super) struct Target {
    pub url: Url,
    pub host: String,
    pub addresses: Vec<SocketAddr>,
}

/// Checks the address as it is registered. A name that does not resolve now may do so later.
pub(super) async fn check(url: &str, reach: Reach) -> Result<(), String> {
    match resolve(url, reach).await {
        Ok(_) | Err(Refusal::Unresolved(_)) => Ok(()),
        Err(Refusal::Never(why)) => Err(why),
    }
}

/// Why an address is not called.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It breaks a rule.
    Never(String),
    /// Its name cannot be resolved now.
    Unresolved(String),
}

/// Checks an address and finds out where it is. Whoever calls it must call these addresses and no others: a name can
/// resolve differently a moment later.
pub(super) async fn resolve(text: &str, reach: Reach) -> Result<Target, Refusal> {
    let never = |why: &str| Refusal::Never(why.to_owned());
    if text.len() > 2000 || text.chars().any(char::is_whitespace) {
        return Err(never("at most 2000 characters, no blanks"));
    }
    let url = Url::parse(text).map_err(|_| never("is not an address like https://example.org/hook"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(never("must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(never("must hold neither a user, a password nor a fragment"));
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(never("names no host"));
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => tokio::net::lookup_host((host.as_str(), port))
            .await
            .map_err(|_| Refusal::Unresolved(format!("{host} cannot be resolved")))?
            .collect(),
    };
    if addresses.is_empty() {
        return Err(Refusal::Unresolved(format!("{host} has no address")));
    }
    if reach == Reach::Public && !addresses.iter().all(|address| is_public(address.ip())) {
        return Err(Refusal::Never(
            "lies in a private network: the setting webhook_private allows such addresses".into(),
        ));
    }
    Ok(Target { url, host, addresses })
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// None of the special blocks of RFC 6890.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0xfe == 18))
}

/// Global unicast that hides no other address: 2000::/3 without 6to4, Teredo and documentation.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let [a, b, ..] = ip.segments();
    a & 0xe000 == 0x2000 && a != 0x2002 && !(a == 0x2001 && (b < 0x200 || b == 0x0db8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(ip.parse().expect("an address")), "{ip}");
        }
        for ip in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1"] {
            assert!(is_public(ip.parse().expect("an address")), "{ip}");
        }
    }

    #[tokio::test]
    async fn addresses_that_break_a_rule_are_refused_in_words() {
        for url in [
            "ftp://example.org/",
            "file:///etc/passwd",
            "not an address",
            "https://",
            "http://user:word@example.org/",
            "http://127.0.0.1:5432/",
            "http://localhost/",
            "http://[::1]/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://169.254.169.254/latest/meta-data",
            "https://1.1.1.1/#part",
        ] {
            assert!(check(url, Reach::Public).await.is_err(), "{url}");
        }
        assert_eq!(check("https://1.1.1.1/hook", Reach::Public).await, Ok(()));
        assert_eq!(check("http://127.0.0.1:9/hook", Reach::Anywhere).await, Ok(()));
    }
}
