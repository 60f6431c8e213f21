//! Addresses that begin with the same bits: hops that are believed.

use std::net::IpAddr;

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// One of them.
    pub address: IpAddr,
    /// How many bits.
    pub prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, with no bits beyond the prefix, or one address.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (bits, width) = match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let plain = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = match prefix {
            Some(prefix) => {
                Some(prefix).filter(plain)?.parse().ok().filter(|prefix| *prefix <= width)?
            }
            None => width,
        };
        (bits.checked_shl(prefix.into()).unwrap_or(0) == 0).then_some(Self { address, prefix })
    }

    /// Whether `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, other, width) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(own.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        let differ = own ^ other;
        differ.checked_shr(u32::from(width - self.prefix.min(width))).unwrap_or(0) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_no_bits_beyond_its_prefix() {
        for (text, prefix) in [
            ("10.0.0.0/8", 8),
            ("0.0.0.0/0", 0),
            ("10.1.2.3", 32),
            ("::/0", 0),
            ("fd00::/8", 8),
            ("::1", 128),
        ] {
            assert_eq!(Network::parse(text).map(|it| it.prefix), Some(prefix), "{text}");
        }
        for text in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::/129",
            "a",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "fd00::1/64",
            "10.0.0/8",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
