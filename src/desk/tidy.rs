//! Values of settings: what can be put right in them, and what is said about it.

use std::ops::RangeInclusive;

/// A value that is fit for use, and what had to be done to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Tidied {
    /// What to use and to store.
    pub value: String,
    /// What was put right.
    pub note: Option<String>,
}

impl Tidied {
    /// A value that was right as it came.
    pub fn untouched(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            note: None,
        }
    }

    /// A value that had to be changed.
    pub fn with_note(value: String, note: String) -> Self {
        Self {
            value,
            note: Some(note),
        }
    }
}

/// Whatever is given.
pub fn as_it_is(given: &str) -> Result<Tidied, String> {
    Ok(Tidied::untouched(given))
}

/// A whole number within bounds.
pub fn number(
    given: &str,
    allowed: RangeInclusive<usize>,
    default: usize,
) -> Result<Tidied, String> {
    let number = given.parse().ok();
    match number.filter(|number| allowed.contains(number)) {
        Some(_) => Ok(Tidied::untouched(given)),
        None => Err(format!(
            "{} is no whole number between {} and {}; write one, or leave it out for {default}",
            quoted(given),
            allowed.start(),
            allowed.end(),
        )),
    }
}

/// One of two words.
pub fn one_of(given: &str, [first, second]: [&str; 2]) -> Result<Tidied, String> {
    if [first, second].contains(&given) {
        Ok(Tidied::untouched(given))
    } else {
        let given = quoted(given);
        Err(format!(
            "{given} is neither {first} nor {second}; write one of them"
        ))
    }
}

/// A wrong value as a message may show it. Longer than any right one, it may be a key in the wrong field.
pub fn quoted(given: &str) -> String {
    if given.len() <= 100 && !given.contains("-----") {
        format!("`{given}`")
    } else {
        "what stands here".to_owned()
    }
}
