//! A fault planted for each tidy check, to see that it is found, and its innocent twin, to see that it is not.

use super::{
    Sources, empty_names, forbidden_imports, leftovers, long_ones, read_clocks, silent_files,
    sleeping_tests,
};

fn planted(path: &str, text: &str) -> Sources {
    Sources::from([(path.to_owned(), text.to_owned())])
}

#[test]
fn a_planted_import_is_found() {
    let finds = |path: &str, text: &str, expected: &[&str]| {
        assert_eq!(
            forbidden_imports(&planted(path, text)),
            expected,
            "for {text}"
        );
    };
    finds(
        "src/desk/http.rs",
        "use crate::store::Store;",
        &["src/desk/http.rs:1: `desk` must not import `store`"],
    );
    finds(
        "src/desk.rs",
        "\nfn f() { crate::engine::run() }",
        &["src/desk.rs:2: `desk` must not import `engine`"],
    );
    finds(
        "src/store/row.rs",
        "use crate::{\n  domain::{ids, clock::Clock},\n  journey::{self, advance},\n  desk,\n};",
        &[
            "src/store/row.rs:3: `store` must not import `journey`",
            "src/store/row.rs:4: `store` must not import `desk`",
        ],
    );
    finds(
        "src/desk/sse.rs",
        "use super::super::store;",
        &["src/desk/sse.rs:1: `desk` must not import `store`"],
    );
    finds(
        "src/broker.rs",
        "use super::{domain};",
        &["src/broker.rs:1: `broker` must not import `domain`"],
    );
    finds(
        "src/main.rs",
        "use baton::app;",
        &["src/main.rs:1: `main` must not import `app`"],
    );
    finds(
        "src/extra.rs",
        "",
        &["src/extra.rs: the import table has no layer `extra`"],
    );

    finds(
        "src/desk/http.rs",
        "use super::Step; use crate::desk::sse; use crate::domain::ids;",
        &[],
    );
    finds("src/lib.rs", "pub mod app; use crate::app;", &[]);
    finds(
        "src/domain/ids.rs",
        "//! [`crate::store`]\n/* crate::app /* */ crate::app */ // crate::cli",
        &[],
    );
    finds(
        "src/domain/ids.rs",
        r####"const A: &str = "crate::app \" crate::app"; const B: &str = r#"" crate::app"#;"####,
        &[],
    );
    finds(
        "src/domain/ids.rs",
        "fn f<'a>(it: &'a str) { let _ = ('\"', '\\'', b'\"'); include_str!(\"../crate::app\") }",
        &[],
    );
    // Nothing after a quote in a literal is taken for one.
    finds(
        "src/domain/ids.rs",
        "const Q: char = '\"'; use crate::app;",
        &["src/domain/ids.rs:1: `domain` must not import `app`"],
    );
}

#[test]
fn a_planted_clock_is_found() {
    let reading = "fn f() { let _ = std::time::SystemTime::now(); }";
    assert_eq!(
        read_clocks(&planted("src/engine/worker.rs", reading)),
        ["src/engine/worker.rs:1: `SystemTime::now`"]
    );
    assert!(read_clocks(&planted("src/sim/rep.rs", reading)).is_empty());
    assert!(read_clocks(&planted("src/domain/clock.rs", "Timestamp::now()")).is_empty());
    assert_eq!(
        read_clocks(&planted("src/store.rs", "\njiff::Timestamp::now()")),
        ["src/store.rs:2: `Timestamp::now`"]
    );
}

#[test]
fn planted_untidiness_is_found() {
    assert_eq!(
        silent_files(&planted("src/a.rs", "// A file.\n")),
        ["src/a.rs: no `//!` in the first line"]
    );
    assert_eq!(
        empty_names(&planted("src/utils/text.rs", "")),
        ["src/utils/text.rs: a name that says nothing"]
    );
    assert_eq!(
        leftovers(&planted("src/a.rs", "fn f() { todo!() }")),
        ["src/a.rs:1: `todo!`"]
    );
    assert_eq!(
        leftovers(&planted("tests/it/a.rs", "#[ignore = \"slow\"]")),
        ["tests/it/a.rs:1: `#[ignore`"]
    );
    assert!(
        leftovers(&planted(
            "src/a.rs",
            "// todo!()\nconst A: &str = \"dbg!\";"
        ))
        .is_empty()
    );

    let sleeps = "sleep(SECOND).await;\nsleep(SECOND).await; // waits for: the lease to run out\n";
    assert_eq!(
        sleeping_tests(&planted("tests/it/a.rs", sleeps)),
        ["tests/it/a.rs:1: sleeps without `// waits for: …`"]
    );
}

#[test]
fn planted_length_is_found() {
    let short = "fn declared(it: [u8; 4]);\nfn short() {}\n";
    let long = format!(
        "{short}fn long() {{\n{}}}\n",
        "    if true { \"}\"; }\n".repeat(70)
    );
    assert_eq!(
        long_ones(&planted("src/a.rs", &long)),
        ["src/a.rs:3: `long` has 72 lines"]
    );
    let file = "// a line\n".repeat(451);
    assert_eq!(
        long_ones(&planted("src/a.rs", &file)),
        ["src/a.rs: 451 lines"]
    );
}
