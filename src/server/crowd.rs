//! How many connections each address has: one caller must not take the room of all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections of each address, over all workers.
#[derive(Clone, Debug)]
pub(super) struct Crowd(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Crowd {
    /// An address may have `most`.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, open: Mutex::default() }))
    }

    /// Lets in one more from `address`, unless it has too many.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Member> {
        let block = block(address);
        let mut open = self.0.open();
        let count = open.entry(block).or_default();
        if *count >= self.0.most {
            return None;
        }
        *count += 1;
        Some(Member { crowd: self.clone(), block })
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // A count is right at any moment, whoever panicked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection of an address, until this is dropped.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Crowd,
    block: IpAddr,
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut open = self.crowd.0.open();
        if let Some(count) = open.get_mut(&self.block) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.block);
            }
        }
    }
}

/// What one caller has at its disposal: an address of IPv4, or the 64 bits that name a network.
fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_is_one_address_or_one_network() {
        let crowd = Crowd::new(1);
        let admit = |text: &str| crowd.admit(text.parse().unwrap());
        let first = admit("10.0.0.1");
        assert!(first.is_some() && admit("10.0.0.1").is_none());
        assert!(admit("::ffff:10.0.0.1").is_none());
        assert!(admit("10.0.0.2").is_some(), "and it is gone again");
        let other = admit("2001:db8::1");
        assert!(other.is_some() && admit("2001:db8::ffff:2").is_none());
        assert!(admit("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(admit("10.0.0.1").is_some());
        drop(other);
        assert!(crowd.0.open().is_empty());
    }
}
