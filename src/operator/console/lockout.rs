//! Keeps who guesses tokens waiting, by the address they come from.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::clock::{self, Timestamp};

/// A slip of the hand or two, and a token of another installation.
const WRONG_MAX: u32 = 5;
/// How long an address waits then, counted from its last wrong token.
const WAIT: Duration = Duration::from_mins(5);
/// Who has more addresses than this is not kept out by addresses.
const ADDRESSES_MAX: usize = 10_000;

/// Wrong tokens by address.
#[derive(Default)]
pub struct Lockout(Mutex<BTreeMap<IpAddr, Wrong>>);

#[derive(Clone, Copy)]
struct Wrong {
    count: u32,
    last: Timestamp,
}

impl Lockout {
    /// How long an address has to wait before it may try again; `None` when it may.
    pub fn wait(&self, address: IpAddr, now: Timestamp) -> Option<Duration> {
        let wrong = *self.lock().get(&address)?;
        let free = clock::after(wrong.last, WAIT);
        (wrong.count >= WRONG_MAX && free > now).then(|| clock::until(now, free))
    }

    /// A wrong token came from there.
    pub fn wrong(&self, address: IpAddr, now: Timestamp) {
        let mut all = self.lock();
        all.retain(|_, wrong| clock::after(wrong.last, WAIT) > now);
        if all.len() < ADDRESSES_MAX || all.contains_key(&address) {
            let wrong = all.entry(address).or_insert(Wrong {
                count: 0,
                last: now,
            });
            wrong.count += 1;
            wrong.last = now;
        }
    }

    /// A right one came.
    pub fn right(&self, address: IpAddr) {
        self.lock().remove(&address);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Wrong>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
