//! Single values of a Dynamics connection: what may be in them, and what can be put right.

use uuid::Uuid;

use crate::desk::address::service;
use crate::desk::tidy::{Tidied, quoted};
use crate::domain::seal::{ExposeSecret, SecretString};

/// A GUID in lower case and without braces: both are how Microsoft's own pages show them.
pub fn guid(given: &str, what_to_do: &str) -> Result<Tidied, String> {
    let bare = given.trim_matches(['{', '}']);
    let parsed = Uuid::try_parse(bare).ok().filter(|_| bare.len() == 36);
    let Some(parsed) = parsed else {
        return Err(format!(
            "{} is no GUID such as 33333333-3333-3333-3333-333333333333; {what_to_do}",
            quoted(given)
        ));
    };
    let value = parsed.hyphenated().to_string();
    if value == given {
        return Ok(Tidied::untouched(given));
    }
    let note = format!("written {value}, without braces and in lower case");
    Ok(Tidied::with_note(value, note))
}

/// Whether a secret is a GUID, which is what the portal shows beside the real one (dynamics reference §7).
pub fn is_guid(secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    secret.len() == 36 && Uuid::try_parse(secret).is_ok()
}

/// A tenant is a GUID or a domain; what stands for several tenants grants no app a token
/// (dynamics reference §1.1, §1.3).
pub fn tenant(given: &str) -> Result<Tidied, String> {
    const ADVICE: &str = "copy the Directory (tenant) ID from the app registration";
    if ["common", "organizations", "consumers"].contains(&given) {
        return Err(format!(
            "`{given}` is no single tenant, and an app gets no token there; {ADVICE}"
        ));
    }
    let is_domain = given.contains('.')
        && given
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    if is_domain {
        return Ok(Tidied::untouched(given));
    }
    guid(given, ADVICE)
}

/// Pages that people copy an address from, and that are not the environment.
const OTHER_HOSTS: [(&str, &str); 5] = [
    ("login.microsoftonline.com", "where tokens come from"),
    ("portal.azure.com", "the Azure portal"),
    ("make.powerapps.com", "the Power Apps maker portal"),
    (
        "admin.powerplatform.microsoft.com",
        "the Power Platform admin center",
    ),
    ("home.dynamics.com", "the list of your apps"),
];

/// Tidies an environment URL down to scheme and host: a slash at its end would spoil the scope of every token
/// (dynamics reference §1.1).
pub fn environment_url(given: &str) -> Result<Tidied, String> {
    let tidied = service(given, "contoso.crm.dynamics.com")?;
    for (host, what) in OTHER_HOSTS {
        if tidied.value == format!("https://{host}") {
            return Err(format!(
                "`{host}` is {what}, not the environment; write its own URL, such as https://contoso.crm.dynamics.com (Power Platform admin center → Environments)"
            ));
        }
    }
    let Some(bare) = given.strip_suffix('/').filter(|bare| *bare == tidied.value) else {
        return Ok(tidied);
    };
    let note = format!("shortened to {bare}, because a slash at the end spoils tokens");
    Ok(Tidied::with_note(bare.to_owned(), note))
}
