//! Durations and sizes as people write them: a whole number and a unit.

use std::time::Duration;

const DURATIONS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const SIZES: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// `10s`, `500ms`, `15m`.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    parse(text, &DURATIONS).map(Duration::from_millis)
}

/// Bytes in `16 KiB`.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    parse(text, &SIZES)
}

/// In the largest unit that divides it.
pub(super) fn spell_duration(duration: Duration) -> String {
    let (unit, count) = spell(duration.as_millis() as u64, &DURATIONS);
    format!("{count}{unit}")
}

/// In the largest unit that divides it.
pub(super) fn spell_size(bytes: u64) -> String {
    let (unit, count) = spell(bytes, &SIZES);
    format!("{count} {unit}")
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let &(_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    count.parse::<u64>().ok()?.checked_mul(factor)
}

fn spell<'a>(amount: u64, units: &[(&'a str, u64)]) -> (&'a str, u64) {
    units
        .iter()
        .rev()
        .find(|(_, factor)| amount > 0 && amount.is_multiple_of(*factor))
        .map_or((units[0].0, amount), |(unit, factor)| {
            (*unit, amount / factor)
        })
}
