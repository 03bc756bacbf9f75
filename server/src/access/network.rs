//! Where a request comes from.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The address of whoever asks: that of the connection, unless a trusted proxy is at its other end. Then it is the last one in X-Forwarded-For that
/// no trusted proxy wrote of another trusted one: what stands before it anybody may have made up.
pub fn client(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(&ip.to_canonical()));
    let mut found = peer.map(|ip| ip.to_canonical())?;
    let forwarded = headers.get_all("x-forwarded-for").iter();
    let hops: Vec<&str> = forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.iter().rev() {
        if !is_trusted(&found) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(ip) => found = ip.to_canonical(),
            Err(_) => break,
        }
    }
    Some(found)
}

/// What counts as one sender: of IPv6 the network that a household or a machine has.
pub fn sender(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & (u128::MAX << 64);
            IpAddr::V6(network.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a value"));
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().expect("a network")).collect();
        let peer = peer.parse().expect("an address");
        client(Some(peer), &headers, &trusted).expect("an address").to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(of("203.0.113.9", &["198.51.100.1"], &[]), "203.0.113.9", "made up");
        assert_eq!(of("10.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(
            of("10.0.0.1", &["1.2.3.4, 198.51.100.1"], &["10.0.0.0/8"]),
            "198.51.100.1",
            "what the client wrote itself does not count"
        );
        assert_eq!(
            of("10.0.0.1", &["1.2.3.4", "198.51.100.1, 10.0.0.2"], &["10.0.0.0/8"]),
            "198.51.100.1",
            "through two proxies"
        );
        assert_eq!(of("10.0.0.1", &["nonsense"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(of("::ffff:10.0.0.1", &["2001:db8::7"], &["10.0.0.0/8"]), "2001:db8::7");
    }

    #[test]
    fn a_network_of_ipv6_is_one_sender() {
        let of = |text: &str| sender(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::4"), of("2001:db8:1:3::4"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
