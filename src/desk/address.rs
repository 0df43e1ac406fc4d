//! Addresses of desks, as people paste them.

use std::net::IpAddr;

use reqwest::Url;

use super::tidy::{Tidied, quoted};

/// Tidies the address of a service down to scheme and host. Tokens must not travel in the clear, so `http://` is for a
/// simulator on this machine only.
pub fn service(given: &str, example: &str) -> Result<Tidied, String> {
    let url = parse(given, example)?;
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => Ok(origin(&url, given)),
        "http" if is_loopback(host) => Ok(origin(&url, given)),
        _ => Err(format!(
            "must begin with https:// (http:// is for a simulator on this machine only); write https://{host}"
        )),
    }
}

/// Reads an address of the web; `example` shows what one looks like.
pub fn parse(given: &str, example: &str) -> Result<Url, String> {
    if !given.contains("://") {
        let host = format!("https://{given}");
        let meant = Url::parse(&host).ok().filter(|_| given.len() <= 100);
        let meant = meant.map_or(format!("https://{example}"), |url| {
            url.origin().ascii_serialization()
        });
        return Err(format!("lacks https://; write {meant}"));
    }
    Url::parse(given)
        .ok()
        .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| {
            let given = quoted(given);
            format!("{given} is no address; write one such as https://{example}")
        })
}

/// Scheme and host of an address, with a note if there was more.
pub fn origin(url: &Url, given: &str) -> Tidied {
    let origin = url.origin().ascii_serialization();
    if origin == given {
        Tidied::untouched(given)
    } else {
        let note = format!("shortened to {origin}, which is all that is needed");
        Tidied::with_note(origin, note)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
