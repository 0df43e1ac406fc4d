//! Which addresses are not on the public internet: ours, our neighbours', our cloud's, or nobody's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IANA's special-purpose networks, and one address that clouds answer on.
const V4: [(Ipv4Addr, u32, &str); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier's"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "metadata"),
    (Ipv4Addr::new(169, 254, 169, 254), 32, "metadata"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmark"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// The same. 6to4 and Teredo can carry any IPv4 address and are no longer in use, so they are refused as a whole.
const V6: [(Ipv6Addr, u32, &str); 10] = [
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (network([0x2001, 0]), 32, "Teredo"),
    (network([0x2001, 0]), 23, "reserved"),
    (network([0x2001, 0xdb8]), 32, "documentation"),
    (network([0x2002, 0]), 16, "6to4"),
    (network([0x3fff, 0]), 20, "documentation"),
    (network([0xfc00, 0]), 7, "private"),
    (network([0xfe80, 0]), 10, "link-local"),
    (network([0xff00, 0]), 8, "multicast"),
];

/// All that has been given out as public.
const V6_PUBLIC: (Ipv6Addr, u32) = (network([0x2000, 0]), 3);

/// Networks whose last four bytes are an IPv4 address: mapped, and translated (NAT64).
const V6_OF_V4: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0),
    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0),
];

const fn network([first, second]: [u16; 2]) -> Ipv6Addr {
    Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)
}

/// What kind of address this is, if it is not a public one.
pub fn inside(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => inside_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(carried) => inside_v4(carried),
            None => inside_v6(address),
        },
    }
}

fn inside_v4(address: Ipv4Addr) -> Option<&'static str> {
    let within = |network: Ipv4Addr, prefix| {
        (address.to_bits() ^ network.to_bits()) >> (Ipv4Addr::BITS - prefix) == 0
    };
    V4.iter()
        .find(|(network, prefix, _)| within(*network, *prefix))
        .map(|(.., what)| *what)
}

fn inside_v6(address: Ipv6Addr) -> Option<&'static str> {
    let (public, public_prefix) = V6_PUBLIC;
    V6.iter()
        .find(|(network, prefix, _)| within_v6(address, *network, *prefix))
        .map(|(.., what)| *what)
        .or_else(|| (!within_v6(address, public, public_prefix)).then_some("reserved"))
}

fn within_v6(address: Ipv6Addr, network: Ipv6Addr, prefix: u32) -> bool {
    (address.to_bits() ^ network.to_bits()) >> (Ipv6Addr::BITS - prefix) == 0
}

/// The IPv4 address that a connection to this one would reach.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    V6_OF_V4
        .iter()
        .any(|network| within_v6(address, *network, 96))
        .then(|| Ipv4Addr::from_bits(address.to_bits() as u32))
}
