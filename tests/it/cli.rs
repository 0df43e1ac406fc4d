//! The command line, as people meet it: the real binary, its exit codes and every word it says.

mod connections;
mod doctor;
mod place;
mod worker;

use std::os::unix::fs::PermissionsExt;

use place::Place;

#[test]
fn mistakes_of_the_configuration_are_all_told_and_end_with_2() {
    let place = Place::new();
    place.write(
        "baton.toml",
        "[broker]\nprefech = 1\n[desk]\ntimeout = 10\n",
    );
    let said = place.run("connection list").refused();
    assert_eq!(
        said,
        "baton: the configuration has mistakes:\n\
         baton.toml:2: broker.prefech: no such option; did you mean broker.prefetch?\n\
         baton.toml:4: desk.timeout: 10 has no unit; write it like \"10s\"\n"
    );
    // What needs no configuration does not ask for it.
    place.run("events list").done();
}

#[test]
fn wrong_usage_ends_with_2() {
    let place = Place::new();
    for line in [
        "",
        "sing",
        "connection show ..",
        "handoff list --status lost",
        "dead replay",
        "dead replay a --all",
        "dead replay a --code x",
        "replies fax",
        "replies sms --wait 10",
        "events schema handoff.lost.v1",
        "publish missing.json",
        "connection apply missing.toml",
    ] {
        place.run(line).refused();
    }
}

#[test]
fn what_a_listing_cannot_be_asked_is_said_and_nothing_was_to_be_saved() {
    let place = Place::new();
    let keys = "--auth-public-key @public.pem --auth-private-key @private.pem";
    let add = format!("connection add acme {} {keys}", connections::WITHOUT_KEYS);
    place.run(&add).done();
    assert_eq!(
        place.run("handoff list --limit 20000").refused(),
        "baton: put this right:\nlimit: `20000` is too few or too many; write 1 to 10000\n"
    );
}

#[test]
fn reading_verbs_make_no_database() {
    let place = Place::new();
    for verb in [
        "connection list",
        "handoff list",
        "dead list",
        "dead replay --all",
    ] {
        assert_eq!(
            place.run(verb).failed(),
            "baton: there is no database baton.db; check `store.url` and the working directory, or begin with `baton serve` or `baton connection add`\n"
        );
    }
    assert!(!place.path("baton.db").exists() && !place.path("baton.key").exists());
}

#[test]
fn the_configuration_is_shown_without_secrets() {
    let mut place = Place::new();
    place.set("BATON__BROKER__URL", "amqp://baton:hush@rabbit:5672/%2f");
    place.set("BATON__HTTP__TOKEN", "hush-hush-hush-hush");
    let shown = place.run("config").done();
    assert!(shown.contains("\"amqp://baton:***@rabbit:5672/%2f\""));
    assert!(!shown.contains("hush"), "{shown}");
    let listed = place.run("config --json").json();
    assert_eq!(listed[0]["key"], "broker.url");
    assert_eq!(listed[0]["origin"], "BATON__BROKER__URL");
    assert!(!listed.to_string().contains("hush"));
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let place = Place::new();
    for verb in ["config", "topology show", "events list --json"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = place.command(&verb.split(' ').collect::<Vec<_>>());
        let output = command.stdout(writer).output().expect("an end");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
    // And nobody who hears of a failure is no reason to panic.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = place.command(&["handoff", "list"]);
    let status = command.stderr(writer).status().expect("an end");
    assert_eq!(status.code(), Some(1));
}

#[test]
fn every_event_has_its_schema_and_example() {
    let place = Place::new();
    let documented = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events"))
        .expect("a folder")
        .filter_map(|file| {
            let name = file.expect("a file").file_name().into_string().ok()?;
            Some(name.strip_suffix(".schema.json")?.to_owned())
        });
    let mut documented: Vec<_> = documented.collect();
    let listed = place.run("events list --json").json();
    let mut listed: Vec<_> = (listed.as_array().into_iter().flatten())
        .map(|event| event["name"].as_str().expect("a name").to_owned())
        .collect();
    listed.sort();
    documented.sort();
    assert_eq!(listed, documented);
    for name in listed {
        let schema = place.run(&format!("events schema {name}")).json();
        assert!(schema["$schema"].is_string());
        let example = place.run(&format!("events example {name}")).json();
        assert_eq!(example["type"], *name);
    }
}

#[test]
fn the_topology_is_shown_as_columns_and_as_definitions() {
    let mut place = Place::new();
    place.set("BATON__BROKER__PREFIX", "acme");
    let shown = place.run("topology show").done();
    assert!(
        shown.contains("\nacme.inbound    alternate-exchange=acme.dead\n"),
        "{shown}"
    );
    assert!(
        shown.contains("\nacme.outbound  reply.sms       acme.replies.sms\n"),
        "{shown}"
    );
    let definitions = place.run("topology show --json").json();
    assert_eq!(definitions["queues"].as_array().map(Vec::len), Some(7));
}

#[test]
fn keys_are_made_once_and_only_their_owner_can_read_them() {
    let mut place = Place::new();
    let said = place.run("keygen --out keys --kid acme-1").done();
    assert_eq!(
        said,
        "--auth-key-id acme-1\n--auth-private-key @keys/private.pem\n--auth-public-key @keys/public.pem\n--auth-jwk @keys/jwk.json\n\
         store.master_key_file = \"keys/master.key\" (for a new database only)\n"
    );
    let mode = |name: &str| {
        let metadata = place.path(name).metadata().expect("a file");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("keys/private.pem"), 0o600);
    assert_eq!(mode("keys/master.key"), 0o600);

    let before = std::fs::read(place.path("keys/private.pem")).expect("a key");
    std::fs::remove_file(place.path("keys/public.pem")).expect("a file");
    assert_eq!(
        place.run("keygen --out keys").failed(),
        "baton: keys/private.pem is there already, and a key that is lost cannot be made again; name another folder with --out\n"
    );
    assert_eq!(
        std::fs::read(place.path("keys/private.pem")).ok(),
        Some(before)
    );
    assert!(!place.path("keys/public.pem").exists());

    // They do what they are for.
    place.run("keygen --out other").done();
    place.set("BATON__STORE__MASTER_KEY_FILE", "other/master.key");
    place
        .run("keygen --out desk --kid k1 --no-master-key")
        .done();
    assert!(!place.path("desk/master.key").exists());
    let keys = "--auth-private-key @desk/private.pem --auth-public-key @desk/public.pem --auth-jwk @desk/jwk.json";
    let rest = connections::WITHOUT_KEYS;
    place
        .run(&format!("connection add acme {rest} {keys}"))
        .done();
    assert!(!place.path("baton.key").exists());
    let openssl = place
        .command_of("openssl")
        .args([
            "x509",
            "-in",
            "desk/certificate.pem",
            "-noout",
            "-pubkey",
            "-checkend",
            "86400",
        ])
        .env("PATH", "/usr/bin:/bin")
        .output();
    match openssl {
        Ok(read) => {
            let read = String::from_utf8_lossy(&read.stdout).into_owned();
            let public = std::fs::read_to_string(place.path("desk/public.pem")).expect("a key");
            assert!(
                read.starts_with(&public) && read.contains("Certificate will not expire"),
                "{read}"
            );
        }
        Err(_) => eprintln!("NOT CHECKED: the certificate by others, because there is no openssl"),
    }
}

#[test]
fn what_would_become_a_dead_letter_is_not_published_by_mistake() {
    let place = Place::new();
    let cases = [
        (
            "hello",
            "the body is not JSON: expected value at line 1 column 1",
        ),
        ("{}", "the field `specversion` is missing"),
        (
            r#"{"specversion":"1.0","type":"handoff.escalation.requested.v9","id":"1","data":{}}"#,
            "the event type `handoff.escalation.requested.v9` has a major version that this release does not know",
        ),
        (
            r#"{"specversion":"1.0","type":"handoff.escalation.requested.v1","id":"1","data":{}}"#,
            "the field `data.session` is missing",
        ),
    ];
    for (body, why) in cases {
        assert_eq!(
            place.run_with(&["publish", "-"], body).refused(),
            format!(
                "baton: nothing was published, because it would become a dead letter: {why}; put that right, or publish it all the same with --force\n"
            )
        );
    }
}
