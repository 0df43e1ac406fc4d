//! Text on the demo's page stays within its columns, whatever it is.

use baton::demo::page::{Align, boxed, cut, table, width, wrap};

const TEXTS: [&str; 5] = [
    "",
    "short",
    "a text with words enough to be broken in several places, and a   few spaces",
    "https://example.com/a/very/long/address/without/any/space/in/it and more",
    "two lines\n\nand an empty one between, Grüße",
];

#[test]
fn nothing_is_wider_than_it_may_be_and_nothing_is_lost() {
    for text in TEXTS {
        for columns in [8, 20, 79] {
            let lines = wrap(text, columns);
            assert!(lines.iter().all(|line| width(line) <= columns), "{lines:?}");
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(letters(&lines.concat()), letters(text));
            let framed = boxed("a title that may be long", text, columns);
            assert!(
                framed.iter().all(|line| width(line) == columns),
                "{framed:#?}"
            );
            assert!(width(&cut(text, columns)) <= columns);
        }
    }
}

#[test]
fn words_stand_on_the_left_and_numbers_on_the_right() {
    let rows = [["", "web"], ["access token", "7 ms"], ["all", "104 ms"]];
    let rows = rows.map(|row| row.map(str::to_owned).to_vec());
    let right = [
        "                  web",
        "─────────────────────",
        "access token     7 ms",
        "all            104 ms",
    ];
    assert_eq!(table(&rows, Align::Right), right);
    let left = [
        "               web",
        "─────────────────────",
        "access token   7 ms",
        "all            104 ms",
    ];
    assert_eq!(table(&rows, Align::Left), left);
    assert!(table(&[], Align::Left).is_empty());
}
