//! Single values of a Zendesk connection: what may be in them, and what can be put right.

use crate::desk::address;
use crate::desk::tidy::{Tidied, one_of, quoted};

/// Takes a subdomain out of whatever part of the address it came in.
pub fn subdomain(given: &str) -> Result<Tidied, String> {
    let host = given.split_once("://").map_or(given, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let name = host
        .strip_suffix(".zendesk.com")
        .unwrap_or(host)
        .to_ascii_lowercase();
    let well_formed = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-');
    match well_formed {
        true if name == given => Ok(Tidied::untouched(given)),
        true => Ok(Tidied::with_note(
            name.clone(),
            format!("shortened to `{name}`, which is all that is needed"),
        )),
        false => Err(format!(
            "{} is no subdomain; write acme if your address is https://acme.zendesk.com",
            quoted(given)
        )),
    }
}

/// 24 hexadecimal digits (sunshine reference §1.4).
pub fn app_id(given: &str) -> Result<Tidied, String> {
    if given.len() == 24 && given.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(Tidied::untouched(given))
    } else {
        Err(format!(
            "{} is no App ID, which has 24 digits and letters from a to f; copy it from Admin Center → Apps and integrations → Conversations API",
            quoted(given)
        ))
    }
}

/// Only a key of the app may do all that a handoff needs (sunshine reference §1.2). Never quoted: it may be the secret.
pub fn key_id(given: &str) -> Result<Tidied, String> {
    const INSTEAD: &str = "make a key in Admin Center → Apps and integrations → Conversations API and write its Key ID, which starts with app_";
    let why = match given.split_once('_').map(|(kind, _)| kind) {
        Some("app") => return Ok(Tidied::untouched(given)),
        Some("int") => "is the key of an integration, which must not use the switchboard",
        Some("act") => "is the key of an account, which must not use webhooks",
        Some("svc") => "is the key of a service account, which must not use webhooks",
        Some(_) | None => "is no key of an app",
    };
    Err(format!("{why}; {INSTEAD}"))
}

/// `basic` or `jwt`.
pub fn auth(given: &str) -> Result<Tidied, String> {
    one_of(given, ["basic", "jwt"])
}

/// `forward` or `ignore`.
pub fn triggers(given: &str) -> Result<Tidied, String> {
    one_of(given, ["forward", "ignore"])
}

/// An address that mail could reach; not one to send to.
pub fn email(given: &str) -> Result<Tidied, String> {
    let (bare, suffix) = match given.strip_suffix("/token") {
        Some(bare) => (bare, "/token"),
        None => (given, ""),
    };
    let well_formed = bare
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
        && !bare.contains(char::is_whitespace);
    match (well_formed, suffix) {
        (true, "") => Ok(Tidied::untouched(given)),
        (true, _) => Ok(Tidied::with_note(
            bare.to_owned(),
            "left out `/token`, which Baton adds itself".into(),
        )),
        (false, _) => Err("is no email address; write that of an admin of your account".into()),
    }
}

/// The id, name or type of a switchboard integration (sunshine reference §2.6).
pub fn integration(given: &str) -> Result<Tidied, String> {
    if given == "next" {
        return Err("must not be `next`: what is repeated would go one further; write the name of the integration, such as zd-agentWorkspace".into());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
    if given.len() <= 128 && given.bytes().all(plain) {
        Ok(Tidied::untouched(given))
    } else {
        Err(format!(
            "{} is no name of a switchboard integration, which has up to 128 letters, digits, hyphens and underscores; write one such as zd-agentWorkspace",
            quoted(given)
        ))
    }
}

/// How many messages a minute.
pub fn messages_per_minute(given: &str) -> Result<Tidied, String> {
    match given.parse::<u32>() {
        Ok(1..) => Ok(Tidied::untouched(given)),
        Ok(0) | Err(_) => Err(format!(
            "{} is no whole number from 1 on; write one, or leave it out for as many as come",
            quoted(given)
        )),
    }
}

/// The address of the Conversations API with its path, which is `/sc` for all but legacy accounts
/// (sunshine reference §1.1).
pub fn base_url(given: &str) -> Result<Tidied, String> {
    const EXAMPLE: &str = "acme.zendesk.com/sc";
    let origin = address::service(given, EXAMPLE)?.value;
    let url = address::parse(given, EXAMPLE)?;
    let base = format!("{origin}{}", url.path().trim_end_matches('/'));
    if base == given {
        Ok(Tidied::untouched(given))
    } else {
        let note = format!("written {base}, which is all that is needed");
        Ok(Tidied::with_note(base, note))
    }
}
