//! How text lies on a page: wrapped, boxed and tabled, for any width.

use unicode_segmentation::UnicodeSegmentation;

/// The letters of a text as a reader counts them. Double-width letters are not used in the demo.
pub fn width(text: &str) -> usize {
    text.graphemes(true).count()
}

/// The text in lines of at most `columns`, broken between words; a word that is longer is broken.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    text.lines()
        .flat_map(|line| wrap_line(line, columns))
        .collect()
}

fn wrap_line(line: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in line.split(' ') {
        for (part, piece) in pieces(word, columns).into_iter().enumerate() {
            let space = usize::from(part == 0 && used > 0);
            if used > 0 && used + space + width(&piece) > columns {
                lines.push(String::new());
                used = 0;
            }
            if let Some(last) = lines.last_mut() {
                if used > 0 && part == 0 {
                    last.push(' ');
                    used += 1;
                }
                last.push_str(&piece);
                used += width(&piece);
            }
        }
    }
    lines
}

fn pieces(word: &str, columns: usize) -> Vec<String> {
    let letters: Vec<&str> = word.graphemes(true).collect();
    if letters.is_empty() {
        return vec![String::new()];
    }
    letters
        .chunks(columns.max(1))
        .map(<[&str]>::concat)
        .collect()
}

/// The text in at most `columns`, with an ellipsis if it had to be cut.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let kept: String = text
        .graphemes(true)
        .take(columns.saturating_sub(1))
        .collect();
    format!("{}…", kept.trim_end())
}

/// A box of so many columns around a text, with a title in its frame.
pub fn boxed(title: &str, text: &str, columns: usize) -> Vec<String> {
    let inside = columns.saturating_sub(4);
    let title = cut(title, inside.saturating_sub(2));
    let rule = "─".repeat(inside.saturating_sub(width(&title) + 1));
    let mut lines = vec![format!("┌─ {title} {rule}┐")];
    for line in wrap(text, inside) {
        let padding = " ".repeat(inside - width(&line));
        lines.push(format!("│ {line}{padding} │"));
    }
    lines.push(format!("└{}┘", "─".repeat(inside + 2)));
    lines
}

/// On which side the cells of a table stand; the first column always stands on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows in columns, with a rule below the first, the headings.
pub fn table(rows: &[Vec<String>], align: Align) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let padded = |(column, cell): (usize, &String)| {
        let padding = " ".repeat(widths[column] - width(cell));
        match align {
            Align::Right if column > 0 => format!("{padding}{cell}"),
            Align::Left | Align::Right => format!("{cell}{padding}"),
        }
    };
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().enumerate().map(padded).collect();
        cells.join("   ").trim_end().to_owned()
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if !lines.is_empty() {
        let rule = widths.iter().sum::<usize>() + 3 * columns.saturating_sub(1);
        lines.insert(1, "─".repeat(rule));
    }
    lines
}
