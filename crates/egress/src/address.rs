//! Which addresses are not on the internet.
//!
//! After the registries of IANA for special purposes
//! ([IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry), [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry)).
//! IPv6 is judged the other way round than IPv4: what is not in 2000::/3 is refused without being listed.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{Ipv4Net, Ipv6Net};

/// What an address is that is not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    Unspecified,
    Loopback,
    Private,
    LinkLocal,
    /// Between a provider and its customers, and inside of some clouds: 100.64.0.0/10.
    Shared,
    /// Where clouds hand out credentials.
    Metadata,
    Documentation,
    Benchmark,
    Multicast,
    /// An address of another network inside it, or a tunnel to one.
    Tunnel,
    Reserved,
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "no address at all",
            Self::Loopback => "the machine that Dash runs on",
            Self::Private => "a private network",
            Self::LinkLocal => "the local network",
            Self::Shared => "the network of a provider",
            Self::Metadata => "the metadata of a cloud",
            Self::Documentation => "an address that only documentation uses",
            Self::Benchmark => "an address that only benchmarks use",
            Self::Multicast => "more than one machine (multicast)",
            Self::Tunnel => "another network through a tunnel",
            Self::Reserved => "a reserved address",
        })
    }
}

/// The first that fits counts.
const V4: [(Ipv4Net, Ground); 22] = [
    (v4([169, 254, 169, 254], 32), Ground::Metadata),
    // AWS: credentials of tasks and of pods.
    (v4([169, 254, 170, 0], 24), Ground::Metadata),
    // Azure; a public address that only machines there reach.
    (v4([168, 63, 129, 16], 32), Ground::Metadata),
    // Alibaba, Oracle.
    (v4([100, 100, 100, 200], 32), Ground::Metadata),
    (v4([192, 0, 0, 192], 32), Ground::Metadata),
    (v4([0, 0, 0, 0], 8), Ground::Unspecified),
    (v4([10, 0, 0, 0], 8), Ground::Private),
    (v4([100, 64, 0, 0], 10), Ground::Shared),
    (v4([127, 0, 0, 0], 8), Ground::Loopback),
    (v4([169, 254, 0, 0], 16), Ground::LinkLocal),
    (v4([172, 16, 0, 0], 12), Ground::Private),
    (v4([192, 0, 0, 0], 24), Ground::Reserved),
    (v4([192, 0, 2, 0], 24), Ground::Documentation),
    // The relays of 6to4, switched off.
    (v4([192, 88, 99, 0], 24), Ground::Tunnel),
    (v4([192, 168, 0, 0], 16), Ground::Private),
    (v4([198, 18, 0, 0], 15), Ground::Benchmark),
    (v4([198, 51, 100, 0], 24), Ground::Documentation),
    (v4([203, 0, 113, 0], 24), Ground::Documentation),
    (v4([233, 252, 0, 0], 24), Ground::Documentation),
    (v4([224, 0, 0, 0], 4), Ground::Multicast),
    (v4([255, 255, 255, 255], 32), Ground::Multicast),
    (v4([240, 0, 0, 0], 4), Ground::Reserved),
];

/// The first that fits counts; what fits none and is not in [`GLOBAL`] is refused too.
const V6: [(Ipv6Net, Ground); 18] = [
    // AWS, Google.
    (v6([0xFD00, 0xEC2, 0, 0, 0, 0, 0, 0x254], 128), Ground::Metadata),
    (v6([0xFD20, 0xCE, 0, 0, 0, 0, 0, 0x254], 128), Ground::Metadata),
    (v6([0; 8], 128), Ground::Unspecified),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), Ground::Loopback),
    // IPv4 inside IPv6, as it was once written, and as local translators use it.
    (v6([0; 8], 96), Ground::Tunnel),
    (v6([0, 0, 0, 0, 0xFFFF, 0, 0, 0], 96), Ground::Tunnel),
    (v6([0x64, 0xFF9B, 1, 0, 0, 0, 0, 0], 48), Ground::Tunnel),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), Ground::Reserved),
    (v6([0xFC00, 0, 0, 0, 0, 0, 0, 0], 7), Ground::Private),
    (v6([0xFE80, 0, 0, 0, 0, 0, 0, 0], 10), Ground::LinkLocal),
    (v6([0xFEC0, 0, 0, 0, 0, 0, 0, 0], 10), Ground::Private),
    (v6([0xFF00, 0, 0, 0, 0, 0, 0, 0], 8), Ground::Multicast),
    // Teredo.
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), Ground::Tunnel),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), Ground::Benchmark),
    // The rest of what protocols use among themselves.
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), Ground::Reserved),
    (v6([0x2001, 0xDB8, 0, 0, 0, 0, 0, 0], 32), Ground::Documentation),
    (v6([0x3FFF, 0, 0, 0, 0, 0, 0, 0], 20), Ground::Documentation),
    // What a router in front of Dash may send anywhere: the first network for tests, given back.
    (v6([0x3FFE, 0, 0, 0, 0, 0, 0, 0], 16), Ground::Reserved),
];

const GLOBAL: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
const NAT64: Ipv6Net = v6([0x64, 0xFF9B, 0, 0, 0, 0, 0, 0], 96);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix)
}

/// Nothing for an address on the internet.
pub(crate) fn ground(ip: IpAddr) -> Option<Ground> {
    match canonical(ip) {
        IpAddr::V4(ip) => V4.iter().find(|(net, _)| net.contains(&ip)).map(|(_, g)| *g),
        IpAddr::V6(ip) => {
            let listed = V6.iter().find(|(net, _)| net.contains(&ip)).map(|(_, g)| *g);
            listed.or_else(|| (!GLOBAL.contains(&ip)).then_some(Ground::Reserved))
        }
    }
}

/// The IPv4 address that an IPv6 address stands for, where the network would take it out again: mapped, NAT64, 6to4.
pub(crate) fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let [_, a, b, .., c, d] = six.segments();
    let join = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    if let Some(four) = six.to_ipv4_mapped() {
        IpAddr::V4(four)
    } else if NAT64.contains(&six) {
        join(c, d)
    } else if SIX_TO_FOUR.contains(&six) {
        join(a, b)
    } else {
        ip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_the_internet_is_known() {
        for (text, expected) in [
            ("0.0.0.0", Ground::Unspecified),
            ("0.1.2.3", Ground::Unspecified),
            ("10.0.0.0", Ground::Private),
            ("10.255.255.255", Ground::Private),
            ("100.64.0.1", Ground::Shared),
            ("100.127.255.255", Ground::Shared),
            ("100.100.100.200", Ground::Metadata),
            ("127.0.0.1", Ground::Loopback),
            ("127.255.255.254", Ground::Loopback),
            ("168.63.129.16", Ground::Metadata),
            ("169.254.0.1", Ground::LinkLocal),
            ("169.254.169.254", Ground::Metadata),
            ("169.254.170.2", Ground::Metadata),
            ("172.16.0.1", Ground::Private),
            ("172.31.255.255", Ground::Private),
            ("192.0.0.1", Ground::Reserved),
            ("192.0.2.1", Ground::Documentation),
            ("192.88.99.1", Ground::Tunnel),
            ("192.168.0.1", Ground::Private),
            ("198.18.0.1", Ground::Benchmark),
            ("198.19.255.255", Ground::Benchmark),
            ("198.51.100.1", Ground::Documentation),
            ("203.0.113.1", Ground::Documentation),
            ("224.0.0.1", Ground::Multicast),
            ("239.255.255.255", Ground::Multicast),
            ("240.0.0.1", Ground::Reserved),
            ("255.255.255.254", Ground::Reserved),
            ("255.255.255.255", Ground::Multicast),
            ("::", Ground::Unspecified),
            ("::1", Ground::Loopback),
            ("::2", Ground::Tunnel),
            ("::127.0.0.1", Ground::Tunnel),
            ("::8.8.8.8", Ground::Tunnel),
            ("::ffff:127.0.0.1", Ground::Loopback),
            ("::ffff:169.254.169.254", Ground::Metadata),
            ("::ffff:0:127.0.0.1", Ground::Tunnel),
            ("64:ff9b::10.0.0.1", Ground::Private),
            ("64:ff9b::169.254.169.254", Ground::Metadata),
            ("64:ff9b:1::1", Ground::Tunnel),
            ("64:ff9b:2::1", Ground::Reserved),
            ("100::1", Ground::Reserved),
            ("1fff::1", Ground::Reserved),
            ("2001::1", Ground::Tunnel),
            ("2001:0:ffff::1", Ground::Tunnel),
            ("2001:2::1", Ground::Benchmark),
            ("2001:10::1", Ground::Reserved),
            ("2001:1ff::1", Ground::Reserved),
            ("2001:db8::1", Ground::Documentation),
            ("2002:7f00:1::1", Ground::Loopback),
            ("2002:a9fe:a9fe::", Ground::Metadata),
            ("3ffe::1", Ground::Reserved),
            ("3fff::1", Ground::Documentation),
            ("3fff:fff::1", Ground::Documentation),
            ("4000::1", Ground::Reserved),
            ("5f00::1", Ground::Reserved),
            ("fc00::1", Ground::Private),
            ("fd00:ec2::254", Ground::Metadata),
            ("fd20:ce::254", Ground::Metadata),
            ("fdff::1", Ground::Private),
            ("fe80::1", Ground::LinkLocal),
            ("febf::1", Ground::LinkLocal),
            ("fec0::1", Ground::Private),
            ("ff02::1", Ground::Multicast),
        ] {
            assert_eq!(ground(text.parse().expect("an address")), Some(expected), "{text}");
        }
    }

    #[test]
    fn the_internet_is_let_through_up_to_its_edges() {
        for text in [
            "1.0.0.0",
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.114.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
            "2001:db7::1",
            "2001:4860:4860::8888",
            "2002:808:808::1",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "3fff:1000::1",
        ] {
            assert_eq!(ground(text.parse().expect("an address")), None, "{text}");
        }
    }
}
