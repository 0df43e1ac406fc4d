//! From a host's name to addresses that may be connected to.
//!
//! The check sits inside the one lookup that a connection makes, so a name cannot show one address to the check and
//! another to the connection.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address;

/// The system's own lookup.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(addresses(found.collect()))
        })
    }
}

/// A lookup that gives nothing of a name that leads inside, not even the public addresses among its answers:
/// who mixes them is up to something.
pub struct Guarded(pub Arc<dyn Resolve>);

/// A name leads to an address that is not public: of which kind.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the name leads to a {0} address")]
pub struct Inside(pub &'static str);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.0.resolve(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup.await?.collect();
            match found.iter().find_map(|found| address::inside(found.ip())) {
                Some(what) => Err(Inside(what).into()),
                None => Ok(addresses(found)),
            }
        })
    }
}

fn addresses(found: Vec<SocketAddr>) -> Addrs {
    Box::new(found.into_iter())
}
