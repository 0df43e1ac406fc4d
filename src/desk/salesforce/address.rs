//! The addresses of an org: the one its admins know, and the host of the messaging API that follows from it.

use crate::desk::address::{origin, parse};
use crate::desk::tidy::Tidied;

/// What admins see in the address bar, and what the same My Domain is called as an instance URL.
const OTHER_FACES: [(&str, &str); 3] = [
    (".lightning.force.com", "the address of Lightning pages"),
    (".my.salesforce-setup.com", "the address of the Setup pages"),
    (
        ".my.salesforce-scrt.com",
        "the address of the messaging host",
    ),
];
const INSTANCE: &str = ".my.salesforce.com";
const SCRT: &str = ".my.salesforce-scrt.com";

/// Tidies an instance URL down to scheme and host.
pub fn instance_url(given: &str) -> Result<Tidied, String> {
    let url = parse(given, "yourcompany.my.salesforce.com")?;
    if url.scheme() != "https" {
        return Err(format!(
            "must begin with https://; write https://{}",
            url.host_str().unwrap_or_default()
        ));
    }
    let host = url.host_str().unwrap_or_default();
    for (suffix, what) in OTHER_FACES {
        if let Some(my_domain) = host.strip_suffix(suffix) {
            let instance = format!("https://{my_domain}{INSTANCE}");
            let note = format!("`{host}` is {what}; the instance URL is {instance}");
            return Ok(Tidied::with_note(instance, note));
        }
    }
    Ok(origin(&url, given))
}

/// The messaging host that belongs to an instance URL; every pair that was ever seen is built this way
/// (miaw reference §1).
pub fn scrt_of(instance_url: &str) -> Option<String> {
    let my_domain = instance_url.strip_suffix(INSTANCE)?;
    Some(format!("{my_domain}{SCRT}"))
}
