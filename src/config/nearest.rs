//! Guesses which option was meant by a key that is none.

/// The known key that is closest to `key`, if one is close enough to be meant.
pub(super) fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strangeness(key, candidate), candidate))
        .min()
        .filter(|(far, _)| *far <= 3)
        .map(|(_, it)| it)
}

/// How many letters differ; the right word in the wrong section counts as two.
fn strangeness(key: &str, candidate: &str) -> usize {
    let word = |key: &str| key.rsplit('.').next().map(str::to_owned);
    let letters = distance(key, candidate);
    if word(key) == word(candidate) {
        letters.min(2)
    } else {
        letters
    }
}

/// Levenshtein's distance, one row at a time.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
