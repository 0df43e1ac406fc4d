//! Connections: added, applied, shown, and every bad input with all that is said about it.

use baton::domain::keys::RsaPair;
use serde_json::json;

use super::place::Place;

/// What is right, but for the keys.
pub const WITHOUT_KEYS: &str = "--desk salesforce --instance-url https://acme.my.salesforce.com \
    --es-developer-name Baton --org-id 00D5e000000HEcP --auth-key-id k1 --issuer baton";
const KEYS: &str = "--auth-public-key @public.pem --auth-private-key @private.pem";

/// Adds `acme`, with some of the settings above put otherwise.
fn add(place: &Place, change: &[(&str, &str)]) -> super::place::Ran {
    let mut line = format!("connection add acme {WITHOUT_KEYS} {KEYS}");
    for (from, to) in change {
        assert!(line.contains(from), "{from}");
        line = line.replace(from, to);
    }
    place.run(&line)
}

#[test]
fn a_connection_is_added_once_shown_without_its_secret_and_removed() {
    let place = Place::new();
    assert_eq!(add(&place, &[]).done(), "acme: added\n");
    assert_eq!(add(&place, &[]).done(), "acme: unchanged\n");
    assert_eq!(add(&place, &[("k1", "k2")]).done(), "acme: changed\n");
    // A secret that is not given stays.
    assert_eq!(
        add(&place, &[("--auth-private-key @private.pem", "")]).done(),
        "acme: changed\n"
    );
    assert_eq!(
        place.run("connection list").done(),
        "NAME  DESK        REPLIES BY  GATE\nacme  salesforce  stream      open\n"
    );
    let shown = place.run("connection show acme").done();
    for line in [
        "name                      acme\n",
        "org_id                    00D5e000000HEcP\n",
        "auth_private_key          *** (sha256 ",
        "auth_public_key\n  -----BEGIN PUBLIC KEY-----\n",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let listed = place.run("connection list --json").json();
    assert_eq!(listed[0]["settings"]["auth_key_id"], "k1");

    assert_eq!(
        place.run("connection remove acme").refused(),
        "baton: this removes the connection acme with its credentials; it has no live conversations; \
         there is no terminal to ask at; add --yes if that is what you want\n"
    );
    assert_eq!(
        place.run("connection remove acme --yes").done(),
        "acme: removed\n"
    );
    for verb in ["show acme", "remove acme --yes"] {
        assert_eq!(
            place.run(&format!("connection {verb}")).failed(),
            "baton: there is no connection `acme`; `baton connection list` shows all\n"
        );
    }
    let none = place.run("connection list");
    assert_eq!(
        none.err,
        "there are no connections; `baton connection add` makes one\n"
    );
}

#[test]
fn a_connection_is_paused_and_resumed_each_once() {
    let place = Place::new();
    add(&place, &[]).done();
    let gate = || place.run("connection show acme --json").json()["gate"].clone();
    assert_eq!(
        place.run("connection pause acme").done(),
        "acme: paused; nothing new is begun there\n"
    );
    assert_eq!(gate(), "paused");
    assert_eq!(
        place.run("connection pause acme").failed(),
        "baton: connection `acme` is paused, and cannot be paused\n"
    );
    assert_eq!(
        place.run("connection resume acme").done(),
        "acme: open; what waited there goes on\n"
    );
    assert_eq!(gate(), "open");
    assert_eq!(
        place.run("connection resume acme").failed(),
        "baton: connection `acme` is open, not paused\n"
    );
    for verb in ["pause", "resume", "verify"] {
        assert_eq!(
            place.run(&format!("connection {verb} nobody")).failed(),
            "baton: there is no connection `nobody`; `baton connection list` shows all\n"
        );
    }
}

#[test]
fn every_mistake_is_said_in_full() {
    let place = Place::new();
    place.write("another.pem", RsaPair::generate().public_pem);
    place.write("text.txt", "no key");
    let cases = [
        (
            ("https://acme", "acme"),
            "instance_url: lacks https://; write https://acme.my.salesforce.com",
        ),
        (
            ("https://acme.my", "http://acme.my"),
            "instance_url: must begin with https://; write https://acme.my.salesforce.com",
        ),
        (
            ("00D5e000000HEcP", "00D5e000000HEcPEA"),
            "org_id: `00D5e000000HEcPEA` is no organization id, which has 15 or 18 letters and digits and begins with 00D; copy it from Setup → Company Information",
        ),
        (
            ("@public.pem", "@another.pem"),
            "auth_public_key: does not belong to the private key; make it anew with `openssl pkey -in private.pem -pubout`, and upload a JWK of that pair",
        ),
        (
            ("@public.pem", "@private.pem"),
            "auth_public_key: is a private key, which everybody who sees this connection could read; paste the public one, made with `openssl pkey -in private.pem -pubout`, and make a new pair if others could see this one",
        ),
        (
            ("@private.pem", "@public.pem"),
            "auth_private_key: is a public key; paste the private one, which begins with -----BEGIN PRIVATE KEY-----",
        ),
        (
            ("@private.pem", "@text.txt"),
            "auth_private_key: has no line -----BEGIN PRIVATE KEY-----; paste the whole file, from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----",
        ),
        (
            ("--issuer baton", ""),
            "issuer: is missing. The Issuer of the JSON Web Keyset that the messaging channel uses, exactly as it stands there.",
        ),
        (
            ("add acme", "add ac:me"),
            "name: `ac:me` is no name; write 1 to 64 letters, digits, hyphens, dots or underscores",
        ),
    ];
    for (change, message) in cases {
        let said = add(&place, &[change]).refused();
        assert_eq!(
            said,
            format!("baton: nothing was saved; put this right:\n{message}\n")
        );
    }
    // All of them at once.
    let said = place.run("connection add acme --desk salesforce").refused();
    assert_eq!(said.lines().count(), 8, "{said}");
    // None of it was saved.
    place.run("connection show acme").failed();
}

#[test]
fn an_org_id_of_18_characters_is_shortened_and_that_is_said() {
    let place = Place::new();
    assert_eq!(
        add(&place, &[("00D5e000000HEcP", "00D5e000000HEcPEAW")]).done(),
        "acme: added\n  org_id: shortened to the 15 characters `00D5e000000HEcP` that the messaging API takes\n"
    );
    let shown = place.run("connection show acme --json").json();
    assert_eq!(shown["settings"]["org_id"], "00D5e000000HEcP");
}

#[test]
fn a_secret_comes_from_a_file_or_stdin_and_never_from_the_command_line() {
    let place = Place::new();
    let private = std::fs::read_to_string(place.path("private.pem")).expect("a key");
    let line = format!("connection add acme {WITHOUT_KEYS} --auth-public-key @public.pem");
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    arguments.push("--auth-private-key");
    let with = |value: &'static str, stdin: &str| {
        let mut arguments = arguments.clone();
        arguments.push(value);
        place.run_with(&arguments, stdin)
    };
    let mut given = arguments.clone();
    given.push(&private);
    let on_the_line = "baton: auth_private_key: a secret on the command line is seen by others; write @FILE, or - and send it to stdin\n";
    assert_eq!(place.run_with(&given, "").refused(), on_the_line);
    assert_eq!(with("hush", "").refused(), on_the_line);
    assert_eq!(
        with("@nowhere.pem", "").refused(),
        "baton: auth_private_key: nowhere.pem: No such file or directory (os error 2); name a file that holds the value alone\n"
    );
    assert_eq!(with("-", &private).done(), "acme: added\n");
    assert_eq!(
        add(&place, &[("@public.pem", "-"), ("@private.pem", "-")]).refused(),
        "baton: auth_private_key: stdin is auth_public_key already; give one of them as @FILE\n"
    );
}

#[test]
fn routing_attributes_are_flags_as_well() {
    let place = Place::new();
    let brand = "--issuer baton --attribute Brand=session.custom.Brand --attribute Tier=\"Gold\"";
    add(&place, &[("--issuer baton", brand)]).done();
    let shown = place.run("connection show acme --json").json();
    assert_eq!(
        shown["settings"]["attribute.Brand"],
        json!("session.custom.Brand")
    );
    assert_eq!(shown["settings"]["attribute.Tier"], json!("\"Gold\""));
    let said = add(
        &place,
        &[("--issuer baton", "--issuer baton --attribute Brand")],
    )
    .refused();
    assert!(said.contains("--attribute `Brand`: write NAME=VALUE"));
}

#[test]
fn names_of_tables_are_flags_as_well_and_a_desk_that_gives_nothing_back_says_so() {
    let place = Place::new();
    place.write("client_secret", "s3cret");
    let added = place.run(
        "connection add contoso --desk dynamics --tenant-id 22222222-2222-2222-2222-222222222222 \
         --client-id 11111111-1111-1111-1111-111111111111 --client-secret @client_secret \
         --environment-url https://contoso.crm.dynamics.com \
         --default-queue-id 33333333-3333-3333-3333-333333333333 --schema phone=new_phone",
    );
    assert_eq!(added.done(), "contoso: added\n");
    let shown = place.run("connection show contoso --json").json();
    assert_eq!(shown["settings"]["schema.phone"], "new_phone");
    let shown = place.run("connection show contoso").done();
    let replies = shown.lines().find(|line| line.starts_with("replies"));
    assert!(
        replies.is_some_and(|line| line.ends_with(" none")),
        "{shown}"
    );
    assert!(!shown.contains("s3cret"), "{shown}");
}

/// A file with two connections, both right.
const FILE: &str = r#"# Kept in Git.
[connection.acme]
desk = "salesforce"
instance_url = "https://acme.my.salesforce.com"
es_developer_name = "Baton"
org_id = "00D5e000000HEcPEAW"
auth_public_key_file = "../public.pem"
auth_private_key_file = "../private.pem"
auth_key_id = "k1"
issuer = "baton"

[connection."acme.eu"]
desk = "salesforce"
instance_url = "https://acme-eu.my.salesforce.com"
es_developer_name = "Baton"
org_id = "00D5e000000HEcP"
auth_public_key_file = "../public.pem"
auth_private_key_file = "../private.pem"
auth_key_id = "k1"
issuer = "baton"
opening_chars_max = 5000
attribute.Brand = "session.custom.Brand"
"#;

/// Writes the file into a folder of its own and applies it.
fn apply(place: &Place, file: &str) -> super::place::Ran {
    std::fs::create_dir_all(place.path("git")).expect("a folder");
    place.write("git/connections.toml", file);
    place.run("connection apply git/connections.toml")
}

#[test]
fn a_file_is_applied_and_applied_again() {
    let place = Place::new();
    let note =
        "  org_id: shortened to the 15 characters `00D5e000000HEcP` that the messaging API takes\n";
    assert_eq!(
        apply(&place, FILE).done(),
        format!("acme: added\n{note}acme.eu: added\n")
    );
    assert_eq!(
        apply(&place, FILE).done(),
        format!("acme: unchanged\n{note}acme.eu: unchanged\n")
    );
    // Secrets may be kept out of the file once they are in the store.
    let file = FILE
        .replace("auth_private_key_file = \"../private.pem\"\n", "")
        .replace("5000", "6000");
    assert_eq!(
        apply(&place, &file).done(),
        format!("acme: unchanged\n{note}acme.eu: changed\n")
    );
    let shown = place.run("connection show acme.eu --json").json();
    assert_eq!(shown["settings"]["opening_chars_max"], "6000");
    assert_eq!(shown["settings"]["attribute.Brand"], "session.custom.Brand");
}

#[test]
fn all_mistakes_of_a_file_are_told_with_their_lines_and_nothing_is_saved() {
    let place = Place::new();
    let file = FILE
        .replace("https://acme.my", "acme.my")
        .replacen("issuer = \"baton\"\n", "", 1)
        .replace(
            "attribute.Brand = \"session.custom.Brand\"",
            "attribute.Brand = \"Acme\"\nisuer = \"x\"",
        );
    let known = "instance_url, es_developer_name, org_id, auth_public_key, auth_private_key, auth_key_id, issuer, auth_jwk, auth_next_key_id, auth_next_public_key, auth_next_private_key, auth_next_jwk, scrt_url, opening_chars_max, access_tokens_per_minute, language_default, automated_responses, attribute.<Name>";
    assert_eq!(
        apply(&place, &file).refused(),
        format!(
            "baton: nothing was saved; put this right:\n\
             git/connections.toml:2: connection.acme.issuer: is missing. The Issuer of the JSON Web Keyset that the messaging channel uses, exactly as it stands there.\n\
             git/connections.toml:4: connection.acme.instance_url: lacks https://; write https://acme.my.salesforce.com\n\
             git/connections.toml:21: connection.acme.eu.attribute.Brand: `Acme` is neither a field of the escalation, such as session.custom.Brand or contact.custom.Plan, nor text in double quotes, such as \"Gold\"; write one of them\n\
             git/connections.toml:22: connection.acme.eu.isuer: is no setting of a Salesforce connection; take it out, or write one of {known}\n"
        )
    );
    place.run("connection show acme.eu").failed();

    let file = "[connection.a]\ndesk = \"salesforce\"\nissuer = 1.5\nauth_private_key_file = \"no.pem\"\nauth_public_key = \"x\"\nauth_public_key_file = \"../public.pem\"\n\
                [connection.b]\norg_id = \"x\"\n[conection.c]\nx = \"y\"\n[connection]\nd = 1\n";
    assert_eq!(
        apply(&place, file).refused(),
        "baton: nothing was saved; put this right:\n\
         git/connections.toml:3: connection.a.issuer: not text; write it in double quotes\n\
         git/connections.toml:4: connection.a.auth_private_key_file: git/no.pem: No such file or directory (os error 2); name a file that holds the value alone\n\
         git/connections.toml:6: connection.a.auth_public_key: stands beside auth_public_key_file; keep one of the two\n\
         git/connections.toml:7: connection.b.desk: is missing; write one of salesforce, zendesk, dynamics\n\
         git/connections.toml:9: conection: there is no such section; write [connection.NAME]\n\
         git/connections.toml:12: connection.d: write [connection.d] and its settings below\n"
    );
    assert_eq!(
        apply(&place, "# Nothing.\n").refused(),
        "baton: nothing was saved; put this right:\n\
         git/connections.toml:1: there is no connection in it; write [connection.NAME] and its settings below\n"
    );
}

#[test]
fn what_is_no_toml_is_told_without_the_line_that_may_hold_a_secret() {
    let place = Place::new();
    let said = apply(
        &place,
        "[connection.a]\ndesk = \"salesforce\"\nauth_private_key = hush-hush\n",
    )
    .refused();
    assert!(
        said.contains("git/connections.toml:3: not TOML: "),
        "{said}"
    );
    assert!(!said.contains("hush"), "{said}");
}
