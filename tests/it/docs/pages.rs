//! The pages: what they name exists.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use baton::config::REFERENCE;
use baton::desk::{self, Need, Privacy};
use baton::domain::connection::{Connection, DeskKind};
use baton::domain::error::Code;
use baton::domain::ids::ConnectionName;

use super::{files, root, text};

/// The lines outside of fences, and those inside.
fn prose_and_fences(page: &str) -> (Vec<&str>, Vec<&str>) {
    let mut fenced = false;
    let (mut prose, mut fences) = (Vec::new(), Vec::new());
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            fences.push(line);
        } else {
            prose.push(line);
        }
    }
    (prose, fences)
}

/// What stands in backticks, outside of fences.
fn quoted(page: &str) -> Vec<String> {
    let (prose, _) = prose_and_fences(page);
    let quoted = |line: &&str| -> Vec<String> {
        line.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    prose.iter().flat_map(quoted).collect()
}

fn headings(page: &str) -> Vec<(usize, &str)> {
    let (prose, _) = prose_and_fences(page);
    let heading = |line: &&'_ str| line.starts_with('#');
    let lines = prose.into_iter().filter(heading);
    lines
        .map(|line| {
            let text = line.trim_start_matches('#');
            (line.len() - text.len(), text.trim())
        })
        .collect()
}

/// The anchor that a heading gets on the usual hosts.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn links(page: &str) -> Vec<String> {
    let (prose, _) = prose_and_fences(page);
    let targets = |line: &&str| -> Vec<String> {
        let parts = line.split("](").skip(1);
        parts
            .filter_map(|part| Some(part.split_once(')')?.0.to_owned()))
            .collect()
    };
    prose.iter().flat_map(targets).collect()
}

/// The keys of all options that the reference has, those that are commented out included.
fn options() -> BTreeSet<String> {
    let mut section = "";
    let mut options = BTreeSet::new();
    for line in REFERENCE.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name;
        }
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some((name, _)) = line.split_once(" = ")
            && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            options.insert(format!("{section}.{name}"));
        }
    }
    options
}

#[test]
fn every_code_has_a_heading_under_its_class_and_every_heading_is_a_code() {
    let page = text("docs/operations.md");
    let mut class = "";
    let mut documented = Vec::new();
    for (depth, heading) in headings(&page) {
        match (
            depth,
            heading
                .strip_prefix('`')
                .and_then(|it| it.strip_suffix('`')),
        ) {
            (4, Some(code)) => documented.push((code.to_owned(), class.to_owned())),
            (3, _) => class = heading,
            _ => {}
        }
    }
    let codes = Code::ALL.iter();
    let expected: Vec<_> = codes
        .map(|code| (code.as_str().to_owned(), code.class().as_str().to_owned()))
        .collect();
    assert_eq!(documented, expected, "in the order of Code::ALL");
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut dead = Vec::new();
    for path in files("md") {
        let page = text(&path);
        for link in links(&page) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap_or(root()).join(file),
            };
            let there = target.exists()
                && (fragment.is_empty()
                    || headings(&text(&target))
                        .iter()
                        .any(|(_, it)| anchor(it) == fragment));
            if !there {
                dead.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "\n{}", dead.join("\n"));
}

#[test]
fn every_option_that_a_page_names_is_in_the_reference() {
    let options = options();
    assert!(
        options.contains("broker.url_file") && options.contains("worker.name"),
        "{options:?}"
    );
    let sections: BTreeSet<&str> = options
        .iter()
        .filter_map(|it| Some(it.split_once('.')?.0))
        .collect();
    let mut unknown = Vec::new();
    for path in files("md") {
        let page = text(&path);
        for word in quoted(&page) {
            // `log.format = "json"` names an option too.
            let name = word.split(" = ").next().unwrap_or(&word);
            let is_option = name.split_once('.').is_some_and(|(section, rest)| {
                sections.contains(section)
                    && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            });
            let is_file = Path::new(name)
                .extension()
                .is_some_and(|it| it == "rs" || it == "pem" || it == "db");
            // What `/readyz` answers has dots as well.
            let is_vital = ["broker.up", "broker.taking", "broker.blocked"].contains(&name);
            if is_option && !is_file && !is_vital && !options.contains(name) {
                unknown.push(format!("{}: {name}", path.display()));
            }
        }
        for word in page.split(|c: char| !(c.is_ascii_uppercase() || c == '_')) {
            if let Some(name) = word.strip_prefix("BATON__") {
                let name = name.to_lowercase().replace("__", ".");
                let in_a_pattern = !name.contains('.') || name.starts_with("section.");
                if !in_a_pattern && !options.contains(&name) {
                    unknown.push(format!("{}: {word}", path.display()));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
}

#[test]
fn the_two_commands_of_the_readme_exist_and_can_be_run() {
    let readme = text("README.md");
    assert!(readme.lines().count() <= 150);
    let (_, fences) = prose_and_fences(&readme);
    for command in ["./deploy/demo.sh", "./tests/run.sh"] {
        assert!(fences.contains(&command), "{command}");
        let mode = root()
            .join(command)
            .metadata()
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o111, 0o111, "{command}");
    }
}

#[test]
fn the_settings_of_a_connection_are_those_of_the_code() {
    let yes = |it: bool| if it { "yes" } else { "no" };
    for kind in DeskKind::ALL {
        let rows = desk::settings(*kind).iter().map(|setting| {
            format!(
                "| `{}` | {} | {} | {} |\n",
                setting.name,
                yes(setting.need == Need::Required),
                yes(setting.privacy == Privacy::Sealed),
                setting.help
            )
        });
        let table: String = rows.collect();
        let page = text(format!("docs/desks/{kind}.md"));
        assert!(
            page.contains(&format!("| --- | --- | --- | --- |\n{table}\n")),
            "the table of {kind} is to be:\n{table}"
        );
    }
}

#[test]
fn the_opening_message_in_the_page_is_the_one_a_rep_sees() {
    let page = text("docs/desks/salesforce.md");
    let golden = include_str!("../golden/opening.txt");
    assert!(page.contains(&format!("```text\n{golden}```\n")));
}

/// Comments cite the appendix by section.
#[test]
fn every_section_that_the_code_cites_is_in_the_page() {
    let mut missing = Vec::new();
    for (desk, reference) in [
        ("salesforce", "miaw reference"),
        ("zendesk", "sunshine reference"),
        ("dynamics", "dynamics reference"),
    ] {
        let page = text(format!("docs/desks/{desk}.md"));
        let sections: BTreeSet<&str> = headings(&page)
            .into_iter()
            .filter_map(|(_, heading)| heading.strip_prefix('§')?.split(' ').next())
            .collect();
        for path in files("rs") {
            if !path.starts_with(root().join("src")) {
                continue;
            }
            let code = text(&path);
            let cited = code.split('§').skip(1).map(|rest| {
                let end = rest
                    .find(|c: char| !(c.is_ascii_digit() || c == '.'))
                    .unwrap_or(rest.len());
                rest[..end].trim_end_matches('.')
            });
            let is_its = code.contains(reference) || path.to_string_lossy().contains(desk);
            for section in cited.filter(|_| is_its) {
                if !section.is_empty() && !sections.contains(section) {
                    missing.push(format!("{desk}: {}: §{section}", path.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// What a page tells people to type: the verb, and the flags behind it.
fn commands(page: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let (_, fences) = prose_and_fences(page);
    let fenced = fences.join("\n").replace("\\\n", " ");
    let lines = fenced.lines().map(str::to_owned).chain(quoted(page));
    let mut commands = Vec::new();
    for line in lines {
        for part in line.split(" | ") {
            let words: Vec<&str> = part.split_whitespace().collect();
            if let Some((first, words)) = words.split_first()
                && *first == "baton"
                // Alone it is a name.
                && !words.is_empty()
            {
                let is_verb = |word: &&&str| word.bytes().all(|b| b.is_ascii_lowercase());
                let verb = words.iter().take_while(is_verb);
                let flags = words.iter().filter(|word| word.starts_with("--"));
                let owned = |word: &&str| word.to_string();
                commands.push((verb.map(owned).collect(), flags.map(owned).collect()));
            }
        }
    }
    commands
}

#[test]
fn every_command_that_a_page_names_exists() {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in files("md") {
        for (verb, flags) in commands(&text(&path)) {
            // Two words at most; a third is an argument.
            let words = verb.iter().take(2).map(String::as_str);
            let run = |words: Vec<&str>| {
                let mut baton = Command::new(env!("CARGO_BIN_EXE_baton"));
                let help = baton.args(words).arg("--help").output().expect("baton");
                (
                    help.status.success(),
                    String::from_utf8_lossy(&help.stdout).into_owned(),
                )
            };
            let (exists, help) = run(words.collect());
            let known = |flag: &&String| help.contains(flag.as_str());
            if !exists || verb.is_empty() || !flags.iter().all(|flag| known(&flag)) {
                wrong.push(format!(
                    "{}: baton {} {}",
                    path.display(),
                    verb.join(" "),
                    flags.join(" ")
                ));
            }
            seen.insert(verb);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(seen.len() > 10, "{seen:?}");
}

/// The commands of the page are run as they stand, and Baton takes what they make.
#[test]
fn the_commands_that_make_a_key_pair_make_one() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("NOT CHECKED: the commands that make a key pair, because there is no openssl");
        return;
    }
    let page = text("docs/desks/salesforce.md");
    let commands = page
        .split("```sh\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let folder = tempfile::tempdir().expect("a folder");
    let made = Command::new("sh")
        .args(["-ec", commands.expect("commands")])
        .current_dir(&folder)
        .output()
        .expect("a shell");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let file = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);

    let settings = [
        ("instance_url", "https://acme.my.salesforce.com".to_owned()),
        ("es_developer_name", "Baton_Client".into()),
        ("org_id", "00D5e000000HEcP".into()),
        ("issuer", "baton".into()),
        ("auth_key_id", "baton-1".into()),
        ("auth_public_key", file("public.pem")),
    ];
    let mut connection = Connection {
        name: ConnectionName::from("acme"),
        desk: DeskKind::Salesforce,
        settings: settings
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        secrets: [("auth_private_key".to_owned(), file("private.pem").into())].into(),
        version: 1,
    };
    assert_eq!(desk::check(&mut connection), Ok(vec![]));

    let jwk: serde_json::Value = serde_json::from_str(&file("jwk.json")).expect("JSON");
    let key = jsonwebtoken::DecodingKey::from_rsa_components(
        jwk["n"].as_str().expect("n"),
        jwk["e"].as_str().expect("e"),
    );
    let token = jsonwebtoken::encode(
        &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256),
        &serde_json::json!({ "sub": "c-1" }),
        &jsonwebtoken::EncodingKey::from_rsa_pem(file("private.pem").as_bytes()).expect("a key"),
    );
    let mut checks = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    checks.required_spec_claims.clear();
    checks.validate_exp = false;
    let read = jsonwebtoken::decode::<serde_json::Value>(
        token.expect("a token"),
        &key.expect("a key"),
        &checks,
    );
    assert_eq!(read.expect("verified").claims["sub"], "c-1");
    assert!(
        jwk["x5c"][0]
            .as_str()
            .is_some_and(|certificate| certificate.starts_with("MII"))
    );
}

/// Decisions are numbered without gaps, and each says what a decision has to say.
#[test]
fn decisions_are_whole() {
    let folder = root().join("docs/adr");
    let pages: Vec<_> = files("md")
        .into_iter()
        .filter(|path| path.starts_with(&folder))
        .collect();
    for (place, path) in pages.iter().enumerate() {
        let (page, name) = (
            text(path),
            path.file_name().unwrap_or_default().to_string_lossy(),
        );
        assert!(name.starts_with(&format!("{:04}-", place + 1)), "{name}");
        assert!(page.starts_with(&format!("# {}. ", place + 1)), "{name}");
        for part in [
            "\nDate: ",
            "\nStatus: ",
            "\n## Context\n",
            "\n## Decision\n",
            "\n## Consequences\n",
        ] {
            assert!(page.contains(part), "{name}: {part}");
        }
    }
}

/// One word per thing: a human at a desk is a rep.
#[test]
fn no_page_calls_a_human_an_agent() {
    let mut found = Vec::new();
    for path in files("md") {
        for line in prose_and_fences(&text(&path)).0 {
            // A product has the name that its vendor gave it.
            let lower = line.to_lowercase().replace("agent workspace", "workspace");
            for phrase in [
                "human agent",
                "live agent",
                "support agent",
                "service agent",
                "an agent ",
                "the agent ",
            ] {
                if lower.contains(phrase) {
                    found.push(format!("{}: {line}", path.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Nobody here can build the image, so what its build needs is looked up.
#[test]
fn the_image_is_built_from_all_that_the_sources_read() {
    let containerfile = text("deploy/Containerfile");
    let copied: Vec<&str> = (containerfile.lines())
        .filter_map(|line| line.strip_prefix("COPY ")?.split_once(' '))
        .map(|(from, _)| from)
        .collect();
    let mut read = BTreeSet::new();
    for path in files("rs")
        .into_iter()
        .filter(|path| path.starts_with(root().join("src")))
    {
        for marker in ["include_str!(", "include_bytes!("] {
            for part in text(&path).split(marker).skip(1) {
                let Some(named) = part.split('"').nth(1) else {
                    continue;
                };
                let mut from = path.parent().unwrap_or(root()).to_owned();
                for step in named.split('/') {
                    match step {
                        ".." => drop(from.pop()),
                        "" => {}
                        step => from.push(step),
                    }
                }
                let from = from.strip_prefix(root()).expect("of ours");
                read.insert(from.display().to_string());
            }
        }
    }
    assert!(read.contains("deploy/baton.toml"), "{read:?}");
    let missing: Vec<_> = (read.iter())
        .filter(|path| {
            !copied
                .iter()
                .any(|from| path == from || path.starts_with(&format!("{from}/")))
        })
        .collect();
    assert!(
        missing.is_empty(),
        "{missing:?} is in no COPY of deploy/Containerfile"
    );
}
