//! Refuses requests that a foreign web page makes a browser send.
//!
//! `Host` must be an IP address, `localhost` or a name the operator allowed: a page whose name
//! resolves to this node (DNS rebinding) sends that name. `Origin`, which browsers add to requests
//! of pages, must name this machine.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a request is refused before it is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Foreign {
    #[error("the request has no Host header, or more than one")]
    NoHost,
    #[error(
        "host `{host}` is not served: use an IP address or localhost, or add the name to \
         rpc.allowed_hosts in the node's configuration and restart it"
    )]
    Host { host: String },
    #[error("requests of web pages at `{origin}` are refused")]
    Origin { origin: String },
}

/// Checks where a request claims to go and to come from. `allowed` holds names without a port.
pub(super) fn check(hosts: &[&[u8]], origins: &[&[u8]], allowed: &[String]) -> Result<(), Foreign> {
    let [host] = hosts else { return Err(Foreign::NoHost) };
    let host = String::from_utf8_lossy(host);
    let is_served = match Name::parse(&host) {
        Some(Name::Ip(_)) => true,
        Some(Name::Text(name)) => {
            is_localhost(name) || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
        }
        None => false,
    };
    if !is_served {
        return Err(Foreign::Host { host: host.chars().take(80).collect() });
    }
    match origins.iter().find(|origin| !is_here(origin)) {
        None => Ok(()),
        Some(origin) => {
            let origin = String::from_utf8_lossy(origin).chars().take(80).collect();
            Err(Foreign::Origin { origin })
        }
    }
}

/// Whether the server reads a body of this type. Of these types HTML forms can send only plain
/// text, which Bitcoin Core's examples use; credentials, checked first, keep pages out.
pub(super) fn is_json(content_type: Option<&[u8]>) -> bool {
    let Some(content_type) = content_type else { return true };
    let kind = content_type.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    [&b"application/json"[..], b"text/plain", b"application/json-rpc"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
}

enum Name<'a> {
    Ip(IpAddr),
    Text(&'a str),
}

impl<'a> Name<'a> {
    /// Reads `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`.
    fn parse(text: &'a str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (ip, port) = rest.split_once(']')?;
            let ip: Ipv6Addr = ip.parse().ok()?;
            let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            return is_port.then_some(Self::Ip(ip.into()));
        }
        let name = match text.split_once(':') {
            Some((name, port)) => is_port(port).then_some(name)?,
            None => text,
        };
        if let Ok(ip) = name.parse::<Ipv4Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        (!name.is_empty()).then_some(Self::Text(name))
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
}

fn is_here(origin: &[u8]) -> bool {
    let Ok(origin) = std::str::from_utf8(origin) else { return false };
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    match host.and_then(Name::parse) {
        Some(Name::Ip(ip)) => ip.is_loopback(),
        Some(Name::Text(name)) => is_localhost(name),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(host: &str) -> Result<(), Foreign> {
        check(&[host.as_bytes()], &[], &["node1".into()])
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused() {
        for ours in [
            "127.0.0.1",
            "127.0.0.1:24001",
            "localhost:24001",
            "LOCALHOST",
            "[::1]:24001",
            "[::1]",
            "10.0.0.5:24001",
            "node1",
            "Node1:24001",
        ] {
            assert_eq!(host(ours), Ok(()), "{ours}");
        }
        for foreign in [
            "",
            "evil.example",
            "evil.example:24001",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "127.0.0.1:port",
            "[::1",
            "[evil]",
            "::1",
            "node12",
            "localhost:24001:1",
            "user@localhost",
        ] {
            assert!(matches!(host(foreign), Err(Foreign::Host { .. })), "{foreign}");
        }
        assert_eq!(check(&[], &[], &[]), Err(Foreign::NoHost));
        assert_eq!(check(&[b"localhost", b"localhost"], &[], &[]), Err(Foreign::NoHost));
    }

    #[test]
    fn a_page_from_elsewhere_is_refused() {
        let origin = |origin: &str| check(&[b"localhost"], &[origin.as_bytes()], &[]);
        for ours in [
            "http://localhost:8080",
            "http://127.0.0.1",
            "https://[::1]:1",
            "http://127.0.0.2:24002",
        ] {
            assert_eq!(origin(ours), Ok(()), "{ours}");
        }
        for foreign in [
            "null",
            "",
            "http://evil.example",
            "http://localhost.evil.example",
            "http://10.0.0.5",
            "file://",
            "http://127.0.0.1@evil.example",
            "chrome-extension://abcdef",
        ] {
            assert!(matches!(origin(foreign), Err(Foreign::Origin { .. })), "{foreign}");
        }
        let both: [&[u8]; 2] = [b"http://localhost", b"http://evil.example"];
        assert!(check(&[b"localhost"], &both, &[]).is_err());
    }

    #[test]
    fn forms_are_not_json() {
        for read in
            ["application/json", "Application/JSON; charset=utf-8", "text/plain;", "text/plain"]
        {
            assert!(is_json(Some(read.as_bytes())), "{read}");
        }
        assert!(is_json(None));
        for refused in
            ["application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonx"]
        {
            assert!(!is_json(Some(refused.as_bytes())), "{refused}");
        }
    }
}
