//! Settings of a Salesforce connection: every mistake has a sentence that says what to do.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use baton::desk::{self, Need, Privacy};
use baton::domain::connection::{Connection, DeskKind};
use baton::domain::seal::ExposeSecret;
use jsonwebtoken::EncodingKey;

use super::{PAIR, Pair, connection, connection_with, pem};

fn problems(mut connection: Connection) -> Vec<String> {
    match desk::check(&mut connection) {
        Ok(notes) => panic!("no problem, notes {notes:?}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn notes(connection: &mut Connection) -> Vec<String> {
    desk::check(connection).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn with_private_key(pem: &str) -> Connection {
    let mut connection = connection();
    connection
        .secrets
        .insert("auth_private_key".into(), pem.into());
    connection
}

#[test]
fn a_connection_in_order_is_left_as_it_is() {
    let mut checked = connection();
    assert_eq!(notes(&mut checked), Vec::<String>::new());
    assert_eq!(checked.settings, connection().settings);
}

#[test]
fn every_wrong_setting_is_named_with_what_to_do() {
    let other = Pair::new().public;
    let table: &[(&str, &str, &str)] = &[
        (
            "instance_url",
            "acme.my.salesforce.com",
            "lacks https://; write https://acme.my.salesforce.com",
        ),
        (
            "instance_url",
            "http://acme.my.salesforce.com/x",
            "must begin with https://; write https://acme.my.salesforce.com",
        ),
        (
            "instance_url",
            "https://",
            "`https://` is no address; write one such as https://yourcompany.my.salesforce.com",
        ),
        (
            "instance_url",
            "ftp://acme.my.salesforce.com",
            "`ftp://acme.my.salesforce.com` is no address; write one such as https://yourcompany.my.salesforce.com",
        ),
        (
            "instance_url",
            "https://login.salesforce.com",
            "is no My Domain address, so the messaging host does not follow from it; write https://yourcompany.my.salesforce.com (Setup → My Domain), or set `scrt_url`",
        ),
        (
            "scrt_url",
            "http://acme.my.salesforce-scrt.com",
            "must begin with https:// (http:// is for a simulator on this machine only); write https://acme.my.salesforce-scrt.com",
        ),
        (
            "scrt_url",
            "http://127.0.0.1.example.com",
            "must begin with https:// (http:// is for a simulator on this machine only); write https://127.0.0.1.example.com",
        ),
        (
            "es_developer_name",
            "Support Client",
            "`Support Client` cannot be an API name, which has letters, digits and underscores and begins with a letter; copy the API Name, not the label, from Setup → Embedded Service Deployments",
        ),
        (
            "es_developer_name",
            "1st",
            "`1st` cannot be an API name, which has letters, digits and underscores and begins with a letter; copy the API Name, not the label, from Setup → Embedded Service Deployments",
        ),
        (
            "org_id",
            "005xx0000000xxx",
            "`005xx0000000xxx` is no organization id, which has 15 or 18 letters and digits and begins with 00D; copy it from Setup → Company Information",
        ),
        (
            "org_id",
            "00Dxx00000",
            "`00Dxx00000` is no organization id, which has 15 or 18 letters and digits and begins with 00D; copy it from Setup → Company Information",
        ),
        (
            "org_id",
            "00Dxx0000000xxxBBB",
            "the last three characters of `00Dxx0000000xxxBBB` do not fit the rest, so a letter or its case is wrong; copy it again from Setup → Company Information",
        ),
        (
            "auth_public_key",
            "MIIBIjANBgkq",
            "has no line -----BEGIN PUBLIC KEY-----; paste the whole file, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----",
        ),
        (
            "auth_public_key",
            "-----BEGIN PUBLIC KEY-----\nMIIB",
            "breaks off before the line -----END PUBLIC KEY-----; paste the whole file, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----",
        ),
        (
            "auth_public_key",
            "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
            "is no RSA key that can be read; make it from the private one with `openssl pkey -in private.pem -pubout`",
        ),
        (
            "auth_public_key",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "is a certificate; take the public key out of it with `openssl x509 -in cert.pem -noout -pubkey`",
        ),
        (
            "auth_public_key",
            &PAIR.private,
            "is a private key, which everybody who sees this connection could read; paste the public one, made with `openssl pkey -in private.pem -pubout`, and make a new pair if others could see this one",
        ),
        (
            "auth_public_key",
            "-----BEGIN SSH2 KEY-----\nMIIB\n-----END SSH2 KEY-----",
            "is of the kind `SSH2 KEY`; paste the RSA public key, made with `openssl pkey -in private.pem -pubout`",
        ),
        (
            "auth_public_key",
            &other,
            "does not belong to the private key; make it anew with `openssl pkey -in private.pem -pubout`, and upload a JWK of that pair",
        ),
        (
            "auth_key_id",
            " ",
            "is missing. The key's id: the `kid` of the uploaded JWK.",
        ),
        (
            "issuer",
            "",
            "is missing. The Issuer of the JSON Web Keyset that the messaging channel uses, exactly as it stands there.",
        ),
        (
            "opening_chars_max",
            "4 KiB",
            "`4 KiB` is no whole number between 500 and 30000; write one, or leave it out for 4000",
        ),
        (
            "opening_chars_max",
            "10",
            "`10` is no whole number between 500 and 30000; write one, or leave it out for 4000",
        ),
        (
            "automated_responses",
            "no",
            "`no` is neither forward nor ignore; write one of them",
        ),
        (
            "language_default",
            "English",
            "`English` is no language code; write one such as en_US or de",
        ),
        (
            "attribute.Brand",
            "Gold",
            "`Gold` is neither a field of the escalation, such as session.custom.Brand or contact.custom.Plan, nor text in double quotes, such as \"Gold\"; write one of them",
        ),
        (
            "attribute.Brand",
            "session..Brand",
            "`session..Brand` is neither a field of the escalation, such as session.custom.Brand or contact.custom.Plan, nor text in double quotes, such as \"Gold\"; write one of them",
        ),
        (
            "attribute.My Brand",
            "session.channel",
            "is no name that a channel parameter can have; use letters, digits and underscores, such as attribute.Brand",
        ),
        (
            "attribute.Origin",
            "\"WEB\"",
            "Baton sets it for every conversation; take this setting out",
        ),
        (
            "attribute.Priority",
            "\"High\"",
            "the event's `priority` sets it; take this setting out",
        ),
        (
            "instanceUrl",
            "x",
            "is no setting of a Salesforce connection; take it out, or write one of instance_url, es_developer_name, org_id, auth_public_key, auth_private_key, auth_key_id, issuer, auth_jwk, auth_next_key_id, auth_next_public_key, auth_next_private_key, auth_next_jwk, scrt_url, opening_chars_max, access_tokens_per_minute, language_default, automated_responses, attribute.<Name>",
        ),
    ];
    for (setting, value, what) in table {
        let found = problems(connection_with(&[(setting, value)]));
        assert_eq!(found, [format!("{setting}: {what}")], "{setting} = {value}");
    }
}

#[test]
fn every_wrong_private_key_is_told_from_the_others() {
    let elliptic = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let elliptic = elliptic.to_pkcs8v1().expect("a key");
    let new_key = "make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`";
    let encrypted = "is protected by a passphrase; take it off with `openssl pkey -in private.pem -out plain.pem` and paste plain.pem";
    let table: &[(String, String)] = &[
        ("MIIEvQ".into(), "has no line -----BEGIN PRIVATE KEY-----; paste the whole file, from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----".into()),
        ("-----BEGIN PRIVATE KEY-----\nMIIE".into(), "breaks off before the line -----END PRIVATE KEY-----; paste the whole file, from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----".into()),
        (pem("PRIVATE KEY", b"nonsense"), format!("is no RSA key that can be read; {new_key}")),
        (pem("PRIVATE KEY", elliptic.as_ref()), format!("is no RSA key that can be read; {new_key}")),
        (include_str!("short_key.pem").into(), "is shorter than 2048 bits; make a longer one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`".into()),
        (PAIR.public.clone(), "is a public key; paste the private one, which begins with -----BEGIN PRIVATE KEY-----".into()),
        (pem("CERTIFICATE", b"x"), "is a certificate; paste the private key that it was made with, which begins with -----BEGIN PRIVATE KEY-----".into()),
        (pem("ENCRYPTED PRIVATE KEY", b"x"), encrypted.into()),
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nMIIE\n-----END RSA PRIVATE KEY-----".into(), encrypted.into()),
        (pem("EC PRIVATE KEY", b"x"), "is of the kind `EC PRIVATE KEY`, and an RSA key is needed; make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`".into()),
        (" ".into(), "is missing. The RSA private key in PEM, of 2048 bits or more, that signs identity tokens.".into()),
    ];
    for (given, what) in table {
        assert_eq!(
            problems(with_private_key(given)),
            [format!("auth_private_key: {what}")]
        );
    }
}

#[test]
fn all_problems_come_at_once_and_none_repeats_a_secret() {
    let mut empty =
        with_private_key("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----");
    empty.settings.clear();
    let found = problems(empty);
    let named: Vec<&str> = found
        .iter()
        .filter_map(|problem| problem.split(':').next())
        .collect();
    assert_eq!(
        named,
        [
            "instance_url",
            "es_developer_name",
            "org_id",
            "auth_public_key",
            "auth_private_key",
            "auth_key_id",
            "issuer"
        ]
    );
    assert!(!found.concat().contains("hunter2"));

    let body = PAIR.private.lines().nth(1).expect("a line");
    let in_one = PAIR.private.replace('\n', "");
    let unlabelled = format!("-----BEGIN {body}-----END {body}-----");
    for setting in desk::settings(DeskKind::Salesforce) {
        for key in [&PAIR.private, &in_one, &unlabelled] {
            let mut connection = connection_with(&[(setting.name, key)]);
            let said = desk::check(&mut connection).err().unwrap_or_default();
            let said: String = said.iter().map(ToString::to_string).collect();
            assert!(!said.contains(&body[..20]), "{said}");
        }
    }
}

#[test]
fn what_can_be_put_right_is_put_right_and_said() {
    let one_line = PAIR.public.trim().replace('\n', "\\n");
    let spaces = PAIR.public.trim().replace('\n', " ");
    let pem_note = "auth_public_key: put the line breaks of the PEM back in their places";
    let table: &[(&str, &str, &str, &str)] = &[
        (
            "instance_url",
            "https://acme.my.salesforce.com/",
            "https://acme.my.salesforce.com",
            "instance_url: shortened to https://acme.my.salesforce.com, which is all that is needed",
        ),
        (
            "instance_url",
            " https://Acme.my.salesforce.com/lightning/page?x=1 ",
            "https://acme.my.salesforce.com",
            "instance_url: shortened to https://acme.my.salesforce.com, which is all that is needed",
        ),
        (
            "instance_url",
            "https://acme.lightning.force.com",
            "https://acme.my.salesforce.com",
            "instance_url: `acme.lightning.force.com` is the address of Lightning pages; the instance URL is https://acme.my.salesforce.com",
        ),
        (
            "instance_url",
            "https://acme--uat.sandbox.my.salesforce-setup.com/x",
            "https://acme--uat.sandbox.my.salesforce.com",
            "instance_url: `acme--uat.sandbox.my.salesforce-setup.com` is the address of the Setup pages; the instance URL is https://acme--uat.sandbox.my.salesforce.com",
        ),
        (
            "instance_url",
            "https://acme.my.salesforce-scrt.com",
            "https://acme.my.salesforce.com",
            "instance_url: `acme.my.salesforce-scrt.com` is the address of the messaging host; the instance URL is https://acme.my.salesforce.com",
        ),
        (
            "scrt_url",
            "http://127.0.0.1:4010/",
            "http://127.0.0.1:4010",
            "scrt_url: shortened to http://127.0.0.1:4010, which is all that is needed",
        ),
        (
            "org_id",
            "00D5g00000AbCdEEAV",
            "00D5g00000AbCdE",
            "org_id: shortened to the 15 characters `00D5g00000AbCdE` that the messaging API takes",
        ),
        (
            "language_default",
            "pt-br",
            "pt_BR",
            "language_default: written `pt_BR`, as Salesforce does",
        ),
        ("auth_public_key", &one_line, &PAIR.public, pem_note),
        ("auth_public_key", &spaces, &PAIR.public, pem_note),
    ];
    for (setting, given, tidied, note) in table {
        let mut connection = connection_with(&[(setting, given)]);
        assert_eq!(notes(&mut connection), [*note]);
        assert_eq!(connection.settings[*setting], *tidied);
        assert_eq!(
            notes(&mut connection),
            Vec::<String>::new(),
            "{setting} stays as it is"
        );
    }
    for local in [
        "http://localhost:1",
        "http://[::1]:1",
        "https://proxy.acme.example:8443",
    ] {
        assert_eq!(
            notes(&mut connection_with(&[("scrt_url", local)])),
            Vec::<String>::new()
        );
    }
}

#[test]
fn private_keys_are_taken_in_both_forms_and_mended() {
    let pkcs1 = EncodingKey::from_rsa_pem(PAIR.private.as_bytes()).expect("a key");
    let pkcs1 = pem("RSA PRIVATE KEY", pkcs1.as_bytes());
    assert_eq!(notes(&mut with_private_key(&pkcs1)), Vec::<String>::new());
    assert_eq!(
        notes(&mut with_private_key(&PAIR.private.replace('\n', "\r\n"))),
        Vec::<String>::new()
    );

    let mut mended = with_private_key(&PAIR.private.trim().replace('\n', "\\n"));
    assert_eq!(
        notes(&mut mended),
        ["auth_private_key: put the line breaks of the PEM back in their places"]
    );
    assert_eq!(
        mended.secrets["auth_private_key"].expose_secret(),
        PAIR.private
    );
}

#[test]
fn a_secret_among_the_shown_settings_is_moved_where_it_belongs() {
    let mut connection = connection_with(&[("auth_private_key", &PAIR.private)]);
    connection.secrets.clear();
    assert_eq!(notes(&mut connection), Vec::<String>::new());
    assert!(!connection.settings.contains_key("auth_private_key"));
    assert!(connection.secrets.contains_key("auth_private_key"));
}

#[test]
fn the_form_asks_for_the_six_fields_of_the_public_page_and_the_issuer() {
    let settings = desk::settings(DeskKind::Salesforce);
    let required: Vec<&str> = settings
        .iter()
        .filter(|setting| setting.need == Need::Required)
        .map(|setting| setting.name)
        .collect();
    assert_eq!(
        required,
        [
            "instance_url",
            "es_developer_name",
            "org_id",
            "auth_public_key",
            "auth_private_key",
            "auth_key_id",
            "issuer"
        ]
    );
    let sealed: Vec<&str> = settings
        .iter()
        .filter(|setting| setting.privacy == Privacy::Sealed)
        .map(|setting| setting.name)
        .collect();
    assert_eq!(sealed, ["auth_private_key", "auth_next_private_key"]);
}
