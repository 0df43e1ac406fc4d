//! The kinds of values that options have: from what was written to what the program needs, or why not.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use super::Objects;
use super::source::Value;
use super::unit::{parse_duration, parse_size, spell_duration, spell_size};

/// Why a value does not fit its option.
pub(super) enum Wrong {
    /// It is not of the kind that is named here.
    Kind(&'static str),
    /// It is not what is named here, and may hold a password.
    Unquotable(&'static str),
    /// A number without a unit.
    Unitless,
    /// Below the first or above the second.
    Range(String, String),
}

type Fit<T> = Result<T, Wrong>;

/// `true` or `false`.
pub(super) fn switch(value: &Value) -> Fit<bool> {
    match value {
        Value::Switch(switch) => Ok(*switch),
        _ => Err(Wrong::Kind("true or false")),
    }
}

/// A bare number.
pub(super) fn count<N: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(&Value) -> Fit<N> {
    move |value| match value {
        Value::Number(number) => within(u64::try_from(*number).ok(), &range, u64::to_string),
        _ => Err(Wrong::Kind("a whole number")),
    }
}

/// Bytes, written with a unit.
pub(super) fn size(range: RangeInclusive<u64>) -> impl Fn(&Value) -> Fit<usize> {
    move |value| {
        let bytes = parse_size(with_unit(value, "a size")?).ok_or(Wrong::Kind("a size"))?;
        within(Some(bytes), &range, |bytes| spell_size(*bytes))
    }
}

/// A time span, written with a unit.
pub(super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&Value) -> Fit<Duration> {
    move |value| {
        let span =
            parse_duration(with_unit(value, "a duration")?).ok_or(Wrong::Kind("a duration"))?;
        within(Some(span), &range, |span| spell_duration(*span))
    }
}

/// Any number of one kind.
pub(super) fn list<T>(item: impl Fn(&Value) -> Fit<T>) -> impl Fn(&Value) -> Fit<Vec<T>> {
    move |value| match value {
        Value::List(items) => items.iter().map(&item).collect(),
        _ => Err(Wrong::Kind("a list")),
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(
    wanted: &'static str,
    words: &[(&str, T)],
) -> impl Fn(&Value) -> Fit<T> {
    move |value| {
        let word = text(value, wanted)?;
        words
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, meaning)| *meaning)
            .ok_or(Wrong::Kind(wanted))
    }
}

/// A short name that is safe in queue names, headers and file names.
pub(super) fn name(value: &Value) -> Fit<String> {
    const WANTED: &str = "1 to 100 letters, digits, dots, hyphens and underscores";
    let name = text(value, WANTED)?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if (1..=100).contains(&name.len()) && name.chars().all(fits) {
        Ok(name.to_owned())
    } else {
        Err(Wrong::Kind(WANTED))
    }
}

/// Where to listen.
pub(super) fn address(value: &Value) -> Fit<SocketAddr> {
    const WANTED: &str = "an address and a port";
    text(value, WANTED)?
        .parse()
        .map_err(|_| Wrong::Kind(WANTED))
}

/// The file of an SQLite address. One in memory is refused: it would forget what was acknowledged.
pub(super) fn sqlite(value: &Value) -> Fit<PathBuf> {
    const WANTED: &str = "the address of an SQLite file";
    let path = text(value, WANTED)?
        .strip_prefix("sqlite:")
        .ok_or(Wrong::Unquotable(WANTED))?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with(':') {
        Err(Wrong::Kind(WANTED))
    } else {
        Ok(PathBuf::from(path))
    }
}

/// A folder, or a bucket and a prefix.
pub(super) fn objects(value: &Value) -> Fit<Objects> {
    const WANTED: &str = if cfg!(feature = "s3") {
        "a folder (file:…) or a bucket (s3://…)"
    } else {
        "a folder (file:…); this build has no buckets"
    };
    let place = text(value, WANTED)?;
    let found = match place.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Some(Objects::Folder(
            path.strip_prefix("//").unwrap_or(path).into(),
        )),
        Some(("s3", bucket)) if cfg!(feature = "s3") => bucket.strip_prefix("//").map(|bucket| {
            let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
            Objects::Bucket {
                name: name.to_owned(),
                prefix: prefix.trim_matches('/').to_owned(),
            }
        }),
        _ => None,
    };
    found
        .filter(|found| !matches!(found, Objects::Bucket { name, .. } if name.is_empty()))
        .ok_or(Wrong::Kind(WANTED))
}

/// Where people and programs find something, without a slash at the end.
pub(super) fn web_address(value: &Value) -> Fit<String> {
    const WANTED: &str = "an address that begins with http:// or https://";
    let url = web(text(value, WANTED)?).ok_or(Wrong::Unquotable(WANTED))?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The same; none if it is left empty.
pub(super) fn optional_web_address(value: &Value) -> Fit<Option<String>> {
    if matches!(value, Value::Text(text) if text.is_empty()) {
        return Ok(None);
    }
    web_address(value).map(Some)
}

/// A scheme, a host and a port, and nothing else.
pub(super) fn server(value: &Value) -> Fit<Url> {
    const WANTED: &str = "the address of a server, as in \"http://files.intranet:8080\"";
    web(text(value, WANTED)?)
        .filter(|url| url.path() == "/")
        .ok_or(Wrong::Unquotable(WANTED))
}

/// An address of the web without a password, a query or a fragment.
fn web(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    (plain && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// A level, and `part=level` after commas. `tracing` itself would take a misspelt level for the name of a part.
pub(super) fn log_level(value: &Value) -> Fit<String> {
    const WANTED: &str = "error, warn, info, debug or trace";
    let filter = text(value, WANTED)?;
    let level = |part: &str| matches!(part, "off" | "error" | "warn" | "info" | "debug" | "trace");
    let fits = filter
        .split(',')
        .all(|part| level(part.rsplit('=').next().unwrap_or(part).trim()));
    if fits {
        Ok(filter.to_owned())
    } else {
        Err(Wrong::Kind(WANTED))
    }
}

fn text<'a>(value: &'a Value, wanted: &'static str) -> Fit<&'a str> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(Wrong::Kind(wanted)),
    }
}

fn with_unit<'a>(value: &'a Value, wanted: &'static str) -> Fit<&'a str> {
    match value {
        Value::Number(_) => Err(Wrong::Unitless),
        Value::Text(text) if text.parse::<u64>().is_ok() => Err(Wrong::Unitless),
        other => text(other, wanted),
    }
}

/// `amount` if the range has it and the target type can hold it.
fn within<A: PartialOrd + Copy, T: TryFrom<A>>(
    amount: Option<A>,
    range: &RangeInclusive<A>,
    spell: impl Fn(&A) -> String,
) -> Fit<T> {
    amount
        .filter(|amount| range.contains(amount))
        .and_then(|amount| T::try_from(amount).ok())
        .ok_or_else(|| Wrong::Range(spell(range.start()), spell(range.end())))
}
