//! Settings of a Zendesk connection: every mistake has a sentence that says what to do.

use baton::desk::{self, Need, Privacy};
use baton::domain::connection::{Connection, DeskKind};
use baton::domain::seal::ExposeSecret;
use baton::sim::zendesk::Options;

fn connection() -> Connection {
    super::connection(&Options::default(), "https://acme.zendesk.com/sc")
}

fn with(name: &str, value: &str) -> Connection {
    let mut connection = connection();
    connection.settings.insert(name.into(), value.into());
    connection
}

fn problems(mut connection: Connection) -> Vec<String> {
    match desk::check(&mut connection) {
        Ok(notes) => panic!("no problem, notes {notes:?}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_connection_in_order_is_left_as_it_is() {
    let mut checked = connection();
    assert_eq!(desk::check(&mut checked), Ok(vec![]));
    assert_eq!(checked.settings, connection().settings);
}

#[test]
fn every_wrong_setting_is_named_with_what_to_do() {
    const KEY: &str = "make a key in Admin Center → Apps and integrations → Conversations API and write its Key ID, which starts with app_";
    let table: &[(&str, &str, String)] = &[
        ("subdomain", "my company", "`my company` is no subdomain; write acme if your address is https://acme.zendesk.com".into()),
        ("subdomain", "support.acme.example", "`support.acme.example` is no subdomain; write acme if your address is https://acme.zendesk.com".into()),
        ("app_id", "12345", "`12345` is no App ID, which has 24 digits and letters from a to f; copy it from Admin Center → Apps and integrations → Conversations API".into()),
        ("key_id", "int_5ebee0975ac5304b664a12fb", format!("is the key of an integration, which must not use the switchboard; {KEY}")),
        ("key_id", "act_5ebee0975ac5304b664a12fb", format!("is the key of an account, which must not use webhooks; {KEY}")),
        ("key_id", "svc_5ebee0975ac5304b664a12fb", format!("is the key of a service account, which must not use webhooks; {KEY}")),
        ("key_id", "my-very-secret-value", format!("is no key of an app; {KEY}")),
        ("auth", "oauth", "`oauth` is neither basic nor jwt; write one of them".into()),
        ("triggers", "no", "`no` is neither forward nor ignore; write one of them".into()),
        ("switchboard_integration", "next", "must not be `next`: what is repeated would go one further; write the name of the integration, such as zd-agentWorkspace".into()),
        ("switchboard_integration", "the workspace", "`the workspace` is no name of a switchboard integration, which has up to 128 letters, digits, hyphens and underscores; write one such as zd-agentWorkspace".into()),
        ("opening_chars_max", "lots", "`lots` is no whole number between 500 and 200000; write one, or leave it out for 60000".into()),
        ("opening_chars_max", "100", "`100` is no whole number between 500 and 200000; write one, or leave it out for 60000".into()),
        ("messages_per_minute", "0", "`0` is no whole number from 1 on; write one, or leave it out for as many as come".into()),
        ("base_url", "acme.zendesk.com/sc", "lacks https://; write https://acme.zendesk.com".into()),
        ("base_url", "http://acme.zendesk.com/sc", "must begin with https:// (http:// is for a simulator on this machine only); write https://acme.zendesk.com".into()),
        ("attribute.opencx_session_id", "\"x\"", "Baton sets it for every conversation; take this setting out".into()),
        ("attribute.zen:ticket:tags", "\"x\"", "Baton sets it for every conversation; take this setting out".into()),
        ("attribute.", "\"x\"", "is no name; write one of up to 128 characters, such as attribute.brand".into()),
        ("attribute.brand", "brand", "`brand` is neither a field of the escalation, such as session.custom.Brand or contact.custom.Plan, nor text in double quotes, such as \"Gold\"; write one of them".into()),
    ];
    for (name, value, what) in table {
        assert_eq!(
            problems(with(name, value)),
            [format!("{name}: {what}")],
            "{value}"
        );
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let connection = Connection {
        settings: [
            ("shoe_size".to_owned(), "42".to_owned()),
            ("support_email".into(), "nobody".into()),
        ]
        .into(),
        secrets: [("support_token".to_owned(), "token".into())].into(),
        ..connection()
    };
    let found = problems(connection);
    let named: Vec<&str> = found.iter().filter_map(|it| it.split(':').next()).collect();
    assert_eq!(
        named,
        [
            "shoe_size",
            "subdomain",
            "app_id",
            "key_id",
            "key_secret",
            "support_email"
        ]
    );
    assert!(found[0].starts_with("shoe_size: is no setting of a Zendesk connection; take it out, or write one of subdomain, app_id, key_id, key_secret, "), "{}", found[0]);
    assert_eq!(
        found[1],
        "subdomain: is missing. The part of your Zendesk address before .zendesk.com."
    );
    assert_eq!(
        found[4],
        "key_secret: is missing. The secret key that Zendesk showed once when the key was made."
    );
    assert_eq!(
        found[5],
        "support_email: is no email address; write that of an admin of your account"
    );
}

#[test]
fn support_credentials_come_in_pairs() {
    let half = problems(with("support_email", "admin@acme.example"));
    assert_eq!(
        half,
        [
            "support_token: is missing. An API token of Zendesk Support, for the same (Admin Center → Apps and integrations → Zendesk API)."
        ]
    );
    let mut other_half = connection();
    other_half
        .secrets
        .insert("support_token".into(), "token".into());
    assert_eq!(
        problems(other_half),
        [
            "support_email: is missing. The email address of an admin, for linking contacts to the support users they are already."
        ]
    );
}

#[test]
fn what_can_be_put_right_is_put_right_and_noted() {
    let table = [
        (
            "subdomain",
            "https://Acme.zendesk.com/agent/dashboard",
            "acme",
            "shortened to `acme`, which is all that is needed",
        ),
        (
            "subdomain",
            "acme.zendesk.com",
            "acme",
            "shortened to `acme`, which is all that is needed",
        ),
        (
            "base_url",
            "https://acme.zendesk.com/sc/",
            "https://acme.zendesk.com/sc",
            "written https://acme.zendesk.com/sc, which is all that is needed",
        ),
    ];
    for (name, given, kept, note) in table {
        let mut connection = with(name, given);
        assert_eq!(
            desk::check(&mut connection),
            Ok(vec![format!("{name}: {note}")])
        );
        assert_eq!(connection.settings[name], kept);
    }
    let mut connection = with("support_email", "admin@acme.example/token");
    connection
        .secrets
        .insert("support_token".into(), "token".into());
    assert_eq!(
        desk::check(&mut connection),
        Ok(vec![
            "support_email: left out `/token`, which Baton adds itself".into()
        ])
    );
    assert_eq!(connection.settings["support_email"], "admin@acme.example");
}

#[test]
fn secrets_are_sealed_wherever_they_came() {
    let mut connection = with("key_secret", "a secret in the wrong place");
    connection.secrets.clear();
    desk::check(&mut connection).expect("in order");
    assert!(!connection.settings.contains_key("key_secret"));
    assert_eq!(
        connection.secrets["key_secret"].expose_secret(),
        "a secret in the wrong place"
    );
    for setting in desk::settings(DeskKind::Zendesk) {
        let is_secret = setting.name.ends_with("secret") || setting.name.ends_with("token");
        assert_eq!(
            setting.privacy == Privacy::Sealed,
            is_secret,
            "{}",
            setting.name
        );
        assert!(setting.help.ends_with('.'), "{}", setting.name);
    }
    let required = desk::settings(DeskKind::Zendesk)
        .iter()
        .filter(|it| it.need == Need::Required);
    assert_eq!(required.count(), 4);
}

#[test]
fn no_message_repeats_a_secret() {
    let mut connection = with("key_id", "int_very-secret");
    connection.settings.insert("app_id".into(), "s".repeat(200));
    for problem in problems(connection) {
        assert!(
            !problem.contains("very-secret") && !problem.contains("sss"),
            "{problem}"
        );
    }
}
