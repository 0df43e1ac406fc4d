//! Single values of a Salesforce connection: what may be in them, and what can be put right.

use std::ops::RangeInclusive;

use super::attributes;
use crate::desk::tidy::{Tidied, number, quoted};
use crate::domain::jwk::Jwk;

/// No source says how long a text may be; one message of this length is held to be safe (miaw reference §2.7).
pub const OPENING_CHARS_DEFAULT: usize = 4000;
/// Less cannot hold a summary, more was never heard to be accepted.
const OPENING_CHARS: RangeInclusive<usize> = 500..=30_000;

/// The JWK of the key, as it was uploaded (miaw reference §3.2).
pub fn jwk(given: &str) -> Result<Tidied, String> {
    Jwk::read(given).map(|_| Tidied::untouched(given.trim()))
}

/// Letters, digits and underscores, a letter first (miaw reference §2.1).
pub fn developer_name(given: &str) -> Result<Tidied, String> {
    let well_formed = given.starts_with(|c: char| c.is_ascii_alphabetic())
        && given.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if well_formed {
        Ok(Tidied::untouched(given))
    } else {
        Err(format!(
            "{} cannot be an API name, which has letters, digits and underscores and begins with a letter; copy the API Name, not the label, from Setup → Embedded Service Deployments",
            quoted(given)
        ))
    }
}

/// 15 characters go on the wire everywhere (miaw reference §1).
pub fn org_id(given: &str) -> Result<Tidied, String> {
    let well_formed = matches!(given.len(), 15 | 18)
        && given.starts_with("00D")
        && given.bytes().all(|b| b.is_ascii_alphanumeric());
    if !well_formed {
        return Err(format!(
            "{} is no organization id, which has 15 or 18 letters and digits and begins with 00D; copy it from Setup → Company Information",
            quoted(given)
        ));
    }
    let (short, suffix) = given.split_at(15);
    match suffix {
        "" => Ok(Tidied::untouched(given)),
        _ if suffix.eq_ignore_ascii_case(&case_suffix(short)) => Ok(Tidied::with_note(
            short.to_owned(),
            format!("shortened to the 15 characters `{short}` that the messaging API takes"),
        )),
        _ => Err(format!(
            "the last three characters of `{given}` do not fit the rest, so a letter or its case is wrong; copy it again from Setup → Company Information"
        )),
    }
}

/// The last three characters of an 18-character id: for every five characters one that says which are capitals.
fn case_suffix(short: &str) -> String {
    const CODES: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    short
        .as_bytes()
        .chunks(5)
        .map(|five| {
            let capitals = five.iter().rev().fold(0, |bits, byte| {
                bits * 2 + usize::from(byte.is_ascii_uppercase())
            });
            char::from(CODES[capitals])
        })
        .collect()
}

pub fn opening_chars_max(given: &str) -> Result<Tidied, String> {
    number(given, OPENING_CHARS, OPENING_CHARS_DEFAULT)
}

pub fn language(given: &str) -> Result<Tidied, String> {
    match attributes::salesforce_language(given) {
        Some(language) if language == given => Ok(Tidied::untouched(given)),
        Some(language) => {
            let note = format!("written `{language}`, as Salesforce does");
            Ok(Tidied::with_note(language, note))
        }
        None => Err(format!(
            "{} is no language code; write one such as en_US or de",
            quoted(given)
        )),
    }
}
