//! The shape of the code: who imports whom, who reads the clock, what files are called, what must not be left behind.
//!
//! Every check takes the sources as a map from path to text and gives back its findings, so that a test can plant one.

mod code;
mod planted;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Which layer may import which; it may always import itself. A layer is a folder of `src/`, or a file beside them.
const MAY_IMPORT: [(&str, &str); 16] = [
    ("domain", ""),
    ("broker", ""),
    ("sim", ""),
    ("config", ""),
    ("metrics", ""),
    ("desk", "domain"),
    ("store", "domain metrics"),
    ("traces", "domain metrics"),
    ("telemetry", "config"),
    ("journey", "domain desk"),
    ("engine", "domain desk store broker journey metrics traces"),
    (
        "operator",
        "domain desk store journey engine broker config metrics",
    ),
    (
        "app",
        "domain desk store broker engine operator journey config telemetry metrics traces",
    ),
    ("demo", "app sim broker domain config operator"),
    (
        "cli",
        "app demo operator config sim broker domain store desk telemetry engine",
    ),
    ("main", "cli"),
];

/// How time is read, and who may. Everyone else is told what time it is, or a test could not set it.
/// The simulators stand for other people's servers. A monotonic clock tells nobody what time it is, so all may read it.
const CLOCKS: [(&str, &[&str]); 4] = [
    ("SystemTime::now", &["src/domain/clock.rs", "src/sim"]),
    ("Timestamp::now", &["src/domain/clock.rs", "src/sim"]),
    ("Zoned::now", &["src/domain/clock.rs", "src/sim"]),
    ("Utc::now", &["src/domain/clock.rs", "src/sim"]),
];

/// Names that say nothing.
const EMPTY_NAMES: [&str; 8] = [
    "utils", "util", "helper", "helpers", "manager", "common", "misc", "mod",
];

/// What is not meant to stay.
const LEFTOVERS: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Paths from the package's root, with what stands there.
type Sources = BTreeMap<String, String>;

fn sources(folders: &[&str]) -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Sources::new();
    let mut folders: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let name = path
                    .strip_prefix(root)
                    .expect("inside the package")
                    .display()
                    .to_string();
                sources.insert(name, std::fs::read_to_string(&path).expect("text"));
            }
        }
    }
    sources
}

/// `src/desk/http.rs` is `["desk", "http"]`; the root of the crate is empty.
fn module(path: &str) -> Vec<&str> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    if path == "lib" {
        Vec::new()
    } else {
        path.split('/').collect()
    }
}

/// Imports that the table does not have.
fn forbidden_imports(sources: &Sources) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in sources {
        let module = module(path);
        // The root of the library only lists its modules.
        let Some(layer) = module.first() else {
            continue;
        };
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| name == layer) else {
            findings.push(format!("{path}: the import table has no layer `{layer}`"));
            continue;
        };
        for (line, imported) in imports(&module, &code::bare(text)) {
            if imported != *layer && !allowed.split(' ').any(|name| name == imported) {
                findings.push(format!(
                    "{path}:{line}: `{layer}` must not import `{imported}`"
                ));
            }
        }
    }
    findings
}

/// The layers that a module names, by `crate::`, by `super::` as far as the root, or from the binary by `baton::`.
fn imports(module: &[&str], bare: &str) -> Vec<(usize, String)> {
    let words = code::words(bare);
    let mut imports = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let climbs = words[at..]
            .chunks(2)
            .take_while(|pair| matches!(pair, [(_, "super"), (_, "::")]))
            .count();
        let from_root = match &words[at..] {
            [(_, "crate"), (_, "::"), ..] => 2,
            [(_, "baton"), (_, "::"), ..] if module == ["main"] => 2,
            _ if climbs > 0 && climbs == module.len() => 2 * climbs,
            _ => 0,
        };
        at += from_root.max(1);
        match words.get(at) {
            Some((_, "{")) if from_root > 0 => imports.extend(heads(&words[at..])),
            Some((line, name)) if from_root > 0 => imports.push((*line, name.to_string())),
            _ => {}
        }
    }
    imports
}

/// The first name of each path in `{a::b, c::{d, e}}`.
fn heads(words: &[(usize, &str)]) -> Vec<(usize, String)> {
    let mut heads = Vec::new();
    let mut depth = 0;
    for (before, (line, word)) in std::iter::once("")
        .chain(words.iter().map(|(_, word)| *word))
        .zip(words)
    {
        match *word {
            "{" => depth += 1,
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            "," | "self" => {}
            name if depth == 1 && matches!(before, "{" | ",") => {
                heads.push((*line, name.to_string()))
            }
            _ => {}
        }
    }
    heads
}

/// Clocks that are read where they must not be.
fn read_clocks(sources: &Sources) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in sources {
        for (reading, places) in CLOCKS {
            if !places.iter().any(|place| path.starts_with(place)) {
                findings.extend(lines_with(path, &code::bare(text), reading));
            }
        }
    }
    findings
}

/// Files that do not say what they are for.
fn silent_files(sources: &Sources) -> Vec<String> {
    let silent = |text: &str| !text.starts_with("//! ");
    sources
        .iter()
        .filter(|(_, text)| silent(text))
        .map(|(path, _)| format!("{path}: no `//!` in the first line"))
        .collect()
}

/// Files whose name, or whose folder's, says nothing.
fn empty_names(sources: &Sources) -> Vec<String> {
    let empty = |path: &str| {
        path.trim_end_matches(".rs")
            .split('/')
            .any(|name| EMPTY_NAMES.contains(&name))
    };
    sources
        .keys()
        .filter(|path| empty(path))
        .map(|path| format!("{path}: a name that says nothing"))
        .collect()
}

/// What somebody meant to come back to.
fn leftovers(sources: &Sources) -> Vec<String> {
    let find = |(path, text): (&String, &String)| {
        let bare = code::bare(text);
        LEFTOVERS
            .iter()
            .flat_map(|leftover| lines_with(path, &bare, leftover))
            .collect::<Vec<_>>()
    };
    sources.iter().flat_map(find).collect()
}

/// Tests that sleep without saying what for.
fn sleeping_tests(sources: &Sources) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in sources {
        for (number, (line, bare)) in text.lines().zip(code::bare(text).lines()).enumerate() {
            if bare.contains("sleep(") && !line.contains("// waits for:") {
                findings.push(format!(
                    "{path}:{}: sleeps without `// waits for: …`",
                    number + 1
                ));
            }
        }
    }
    findings
}

/// Files and functions that may have become two ideas.
fn long_ones(sources: &Sources) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in sources {
        let lines = text.lines().count();
        if lines > 450 {
            findings.push(format!("{path}: {lines} lines"));
        }
        for (name, line, length) in code::functions(&code::bare(text)) {
            if length > 70 {
                findings.push(format!("{path}:{line}: `{name}` has {length} lines"));
            }
        }
    }
    findings
}

fn lines_with(path: &str, bare: &str, what: &str) -> Vec<String> {
    let lines = bare
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains(what));
    lines
        .map(|(number, _)| format!("{path}:{}: `{what}`", number + 1))
        .collect()
}

fn assert_none(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn no_layer_imports_what_is_above_it() {
    assert_none(forbidden_imports(&sources(&["src"])));
}

#[test]
fn only_the_clock_reads_the_clock() {
    assert_none(read_clocks(&sources(&["src"])));
}

#[test]
fn every_file_says_what_it_is_for_and_has_a_name_that_says_something() {
    assert_none(silent_files(&sources(&["src", "tests"])));
    assert_none(empty_names(&sources(&["src", "tests"])));
}

#[test]
fn nothing_is_left_behind() {
    assert_none(leftovers(&sources(&["src", "tests"])));
}

#[test]
fn no_test_sleeps() {
    assert_none(sleeping_tests(&sources(&["tests"])));
}

/// Length is a question, not a fault, so this never fails. It writes past the test runner, which would hide it.
#[test]
fn long_files_and_functions_are_named() {
    for finding in long_ones(&sources(&["src", "tests"])) {
        writeln!(std::io::stderr(), "long: {finding}").expect("stderr");
    }
}

#[test]
fn the_table_has_no_circle() {
    // In its order every layer comes after those that it may import.
    for (index, (layer, allowed)) in MAY_IMPORT.iter().enumerate() {
        for name in allowed.split(' ').filter(|name| !name.is_empty()) {
            let known = MAY_IMPORT[..index]
                .iter()
                .any(|(earlier, _)| *earlier == name);
            assert!(known, "`{layer}` imports `{name}`, which comes later");
        }
    }
}
