//! Reads Rust only as far as the tidy checks need: without comments and literals, as words, function by function.

/// The text with comments and the insides of literals blanked, so that every line and column stays where it is.
pub fn bare(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let length = opaque(
            &letters[at..],
            at.checked_sub(1).map(|before| letters[before]),
        );
        for letter in &letters[at..at + length] {
            out.push(if *letter == '\n' { '\n' } else { ' ' });
        }
        at += length;
        if length == 0 {
            out.push(letters[at]);
            at += 1;
        }
    }
    out
}

/// The length of the comment or literal that begins here; 0 if none does.
fn opaque(rest: &[char], before: Option<char>) -> usize {
    let begins = |text: &str| rest.iter().take(text.len()).copied().eq(text.chars());
    let word_goes_on = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    if begins("//") {
        rest.iter()
            .position(|letter| *letter == '\n')
            .unwrap_or(rest.len())
    } else if begins("/*") {
        block_comment(rest)
    } else if begins("\"") {
        quoted(rest, '"')
    } else if begins("r\"") || (begins("r#") && !word_goes_on) {
        raw_string(rest)
    } else if begins("'\\") || rest.first() == Some(&'\'') && rest.get(2) == Some(&'\'') {
        quoted(rest, '\'') // Anything else after an apostrophe is a lifetime.
    } else {
        0
    }
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..].get(..2) {
            Some(['/', '*']) => (depth, at) = (depth + 1, at + 2),
            Some(['*', '/']) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..]
        .iter()
        .take_while(|letter| **letter == '#')
        .count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0; // A raw identifier, as in `r#type`.
    }
    let end: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let inside = &rest[hashes + 2..];
    let length = inside
        .windows(end.len())
        .position(|letters| letters == end)
        .unwrap_or(inside.len());
    (hashes + 2 + length + end.len()).min(rest.len())
}

/// Names, `::`, and other signs one by one; each with its line.
pub fn words(bare: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    for (line, text) in bare.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let name = rest
                .chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_');
            let length = match name.map(char::len_utf8).sum() {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                length => length,
            };
            let (word, after) = rest.split_at(length);
            words.push((line + 1, word));
            rest = after.trim_start();
        }
    }
    words
}

/// Each function with a body: its name, where it begins, and its length in lines.
pub fn functions(bare: &str) -> Vec<(String, usize, usize)> {
    let words = words(bare);
    let mut functions = Vec::new();
    for (at, pair) in words.windows(2).enumerate() {
        let [(line, "fn"), (_, name)] = pair else {
            continue;
        };
        let is_name = name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
        if let (true, Some(end)) = (is_name, end_of_body(&words[at..])) {
            functions.push((name.to_string(), *line, end - line + 1));
        }
    }
    functions
}

fn end_of_body(words: &[(usize, &str)]) -> Option<usize> {
    let (mut brackets, mut braces) = (0, 0);
    for (line, word) in words {
        match *word {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets -= 1,
            ";" if brackets == 0 && braces == 0 => return None,
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                if braces == 0 {
                    return Some(*line);
                }
            }
            _ => {}
        }
    }
    None
}
