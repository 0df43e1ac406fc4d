//! Configuration: layers, mistakes with their full text, and secrets that nothing prints.

use std::path::PathBuf;
use std::time::Duration;

use baton::config::{Config, Mistakes, Objects, OwnSecret, REFERENCE, Setting, Synchronous};
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// A folder with a `baton.toml` in it.
struct Given {
    folder: TempDir,
    file: PathBuf,
}

fn given(toml: &str) -> Given {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("baton.toml");
    std::fs::write(&file, toml).expect("a file");
    Given { folder, file }
}

impl Given {
    fn with(&self, variables: &[(&str, &str)]) -> Result<Config, Mistakes> {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        Config::load(Some(&self.file), variables)
    }

    fn beside(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.display().to_string()
    }

    /// What is said about it, without the folder's name.
    fn mistakes(&self, variables: &[(&str, &str)]) -> String {
        let mistakes = self.with(variables).expect_err("mistakes");
        mistakes
            .to_string()
            .replace(&format!("{}/", self.folder.path().display()), "")
    }
}

/// A table of files of one line, each followed by all that is said about it.
fn assert_mistakes(table: &str) {
    let said = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let lines: Vec<_> = table.lines().filter(said).collect();
    for pair in lines.chunks(2) {
        let [toml, message] = pair else {
            panic!("a file without a message: {pair:?}")
        };
        assert_eq!(given(toml).mistakes(&[]), message.trim(), "for {toml}");
    }
}

fn setting(config: &Config, key: &str) -> Setting {
    config
        .origins()
        .iter()
        .find(|setting| setting.key == key)
        .expect("an option")
        .clone()
}

#[test]
fn the_reference_is_the_default() {
    let values = |config: &Config| {
        config
            .origins()
            .iter()
            .map(|it| (it.key.clone(), it.value.clone()))
            .collect::<Vec<_>>()
    };
    let from_file = given(REFERENCE).with(&[]).expect("no mistake");
    assert_eq!(values(&from_file), values(&Config::default()));

    let Config { retry, desk, .. } = Config::default();
    assert_eq!(retry.waits, [2, 8, 32].map(Duration::from_secs));
    assert_eq!(desk.answer_max, 1 << 20);
}

#[test]
fn every_option_is_in_the_reference_and_in_its_order() {
    let mut section = "";
    let mut named = Vec::new();
    for line in REFERENCE.lines() {
        let line = line.trim_start_matches("# ");
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = name;
        } else if let Some((key, _)) = line.split_once(" = ") {
            named.push(format!("{section}.{key}"));
        }
    }
    let config = Config::default();
    let read: Vec<_> = config
        .origins()
        .iter()
        .map(|setting| setting.key.clone())
        .collect();
    assert_eq!(read, named);
}

#[test]
fn the_environment_beats_the_file_and_the_file_beats_the_default() {
    let given =
        given("[broker]\nprefix = 'a'\nprefetch = 10\n\n[store]\nurl = \"sqlite:///data/b.db\"\n");
    let config = given.with(&[
        ("BATON__BROKER__PREFIX", "b"),
        ("BATON__RETRY__WAITS", "1s, 500ms"),
        ("BATON__BROKER__DECLARE", "false"),
        ("BATON__LIMITS__DUE_MAX", "7"),
        ("BATON__STORE__SYNCHRONOUS", "normal"),
        ("BATON_HOME", "not ours"),
        ("PATH", "not ours"),
    ]);
    let config = config.expect("no mistake");

    assert_eq!(config.broker.prefix, "b");
    assert_eq!(config.broker.prefetch, 10);
    assert!(!config.broker.declare);
    assert_eq!(config.limits.due_max, 7);
    assert_eq!(config.limits.event, 256 * 1024);
    assert_eq!(config.retry.waits, [1000, 500].map(Duration::from_millis));
    assert_eq!(config.store.synchronous, Synchronous::Normal);
    assert_eq!(config.store.database, PathBuf::from("/data/b.db"));

    let origin = |key| setting(&config, key).origin.to_string();
    assert_eq!(origin("broker.prefix"), "BATON__BROKER__PREFIX");
    assert_eq!(
        origin("broker.prefetch"),
        format!("{}:3", given.file.display())
    );
    assert_eq!(origin("limits.event"), "default");
}

#[test]
fn the_listing_reads_well_as_text_and_as_json() {
    let config = given("")
        .with(&[("BATON__WORKER__NAME", "web-1")])
        .expect("no mistake");
    let text = config.origins().to_string();
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines[0],
        r#"broker.url "amqp://guest:***@127.0.0.1:5672/%2f" default"#
    );
    assert!(
        lines.contains(&r#"broker.url_file (none) default"#.to_owned()),
        "{text}"
    );
    assert!(
        lines.contains(&r#"retry.waits ["2s", "8s", "32s"] default"#.to_owned()),
        "{text}"
    );
    assert!(
        lines.contains(&r#"worker.name "web-1" BATON__WORKER__NAME"#.to_owned()),
        "{text}"
    );

    let json = serde_json::to_value(config.origins()).expect("JSON");
    let prefetch =
        serde_json::json!({ "key": "broker.prefetch", "value": 200, "origin": "default" });
    assert!(
        json.as_array().expect("a list").contains(&prefetch),
        "{json}"
    );
}

/// Each kind of mistake, with all that is said about it.
#[test]
fn a_mistake_says_where_it_is_and_what_to_write() {
    assert_mistakes(
        r#"
broker.prefech = 10
    baton.toml:1: broker.prefech: no such option; did you mean broker.prefetch?
http.url = 'x'
    baton.toml:1: http.url: no such option; did you mean broker.url?
colours.background = 1
    baton.toml:1: colours.background: no such option; see deploy/baton.toml for all there are
desk = 10
    baton.toml:1: desk: a section; write [desk] and its options below
broker.prefetch = 'many'
    baton.toml:1: broker.prefetch: "many" is not a whole number; write it like 200
broker.prefetch = 1.5
    baton.toml:1: broker.prefetch: a fraction is not a whole number; write it like 200
[broker.prefetch]
    baton.toml:1: broker.prefetch: a section is not a whole number; write it like 200
broker.declare = 'yes'
    baton.toml:1: broker.declare: "yes" is not true or false; write it like true
broker.prefix = 'a b'
    baton.toml:1: broker.prefix: "a b" is not 1 to 100 letters, digits, dots, hyphens and underscores; write it like "handoff"
desk.timeout = 10
    baton.toml:1: desk.timeout: 10 has no unit; write it like "10s"
desk.timeout = '10 seconds'
    baton.toml:1: desk.timeout: "10 seconds" is not a duration; write it like "10s"
desk.timeout = '3h'
    baton.toml:1: desk.timeout: "3h" is out of range; write 1ms to 1h
limits.event = '256'
    baton.toml:1: limits.event: "256" has no unit; write it like "256 KiB"
limits.event = '256 kB'
    baton.toml:1: limits.event: "256 kB" is not a size; write it like "256 KiB"
limits.event = '1 GiB'
    baton.toml:1: limits.event: "1 GiB" is out of range; write 1 KiB to 16 MiB
limits.due_max = 0
    baton.toml:1: limits.due_max: 0 is out of range; write 1 to 10000000
limits.due_max = -1
    baton.toml:1: limits.due_max: -1 is out of range; write 1 to 10000000
retry.waits = '2s'
    baton.toml:1: retry.waits: "2s" is not a list; write it like ["2s", "8s", "32s"]
retry.waits = ['2s', 8]
    baton.toml:1: retry.waits: ["2s", 8] has no unit; write it like ["2s", "8s", "32s"]
store.synchronous = 'off'
    baton.toml:1: store.synchronous: "off" is not "full" or "normal"; write it like "full"
store.url = 'sqlite::memory:'
    baton.toml:1: store.url: "sqlite::memory:" is not the address of an SQLite file; write it like "sqlite:baton.db"
http.listen = ':8080'
    baton.toml:1: http.listen: ":8080" is not an address and a port; write it like "127.0.0.1:8080"
log.level = 'infoo'
    baton.toml:1: log.level: "infoo" is not error, warn, info, debug or trace; write it like "info"
desk.timeout = 10s
    baton.toml:1: desk.timeout: not TOML: string values must be quoted, expected literal string; write it like "10s"
[desk
    baton.toml:1: not TOML: unclosed table, expected `]`; write [section] or key = value, with texts in double quotes
"#,
    );
}

#[test]
fn values_that_contradict_each_other_are_a_mistake_of_the_higher_layer() {
    assert_mistakes(
        r#"
retry.waits = ['10m', '10m']
    baton.toml:1: retry.deadline: 15m is shorter than retry.waits and desk.timeout (1210s); write at least "1210s", or less there
retry.retry_after_max = '1h'
    baton.toml:1: retry.deadline: 15m is shorter than retry.retry_after_max (1h); write at least "1h", or less there
desk.timeout = '1s'
    baton.toml:1: desk.timeout: 1s is shorter than desk.connect_timeout (2s); write at least "2s", or less there
desk.timeout = '40s'
    baton.toml:1: worker.drain: 25s is shorter than desk.timeout (40s); write at least "40s", or less there
streams.reconnect_min = '1m'
    baton.toml:1: streams.reconnect_max: 30s is shorter than streams.reconnect_min (1m); write at least "1m", or less there
# What has a mistake of its own contradicts nothing.
desk.timeout = 'long'
    baton.toml:1: desk.timeout: "long" is not a duration; write it like "10s"
"#,
    );
}

#[test]
fn ten_mistakes_are_ten_lines_in_the_order_of_the_file() {
    let mistakes = given(
        "[broker]\nprefetch = 0\nurk = 1\n[desk]\ntimeout = 10\nanswer_max = 1 MiB\n\
         [retry]\nwaits = []\ndeadline = 'never'\n[http]\nlisten = 8080\n[store]\nsynchronous = true\n[limits]\nearly = '1w'\n",
    )
    .mistakes(&[("BATON__LOG__LEVEL", "chatty"), ("BATON__HTTP__TOKEN", "short")]);
    let places: Vec<_> = mistakes
        .lines()
        .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        places,
        [
            "baton.toml:2 broker.prefetch",
            "baton.toml:3 broker.urk",
            "baton.toml:5 desk.timeout",
            "baton.toml:6 desk.answer_max",
            "baton.toml:9 retry.deadline",
            "baton.toml:11 http.listen",
            "baton.toml:13 store.synchronous",
            "baton.toml:15 limits.early",
            "BATON__HTTP__TOKEN http.token",
            "BATON__LOG__LEVEL log.level",
        ],
        "{mistakes}"
    );
}

#[test]
fn a_file_that_is_not_there_is_a_mistake() {
    let mut given = given("");
    given.file = given.folder.path().join("other.toml");
    assert_eq!(
        given.mistakes(&[("BATON__DESK__TIMEOUT", "fast")]),
        "other.toml: cannot be read (No such file or directory (os error 2)); name a TOML file that can be\n\
         BATON__DESK__TIMEOUT: desk.timeout: \"fast\" is not a duration; write it like \"10s\""
    );
}

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let given = given("");
    let key = given.beside("key", &format!("{KEY}\n"));
    let url = given.beside("url", "amqp://baton:s3cret@rabbit/%2f");
    let config = given.with(&[
        ("BATON__STORE__MASTER_KEY_FILE", &key),
        ("BATON__BROKER__URL_FILE", &url),
        ("BATON__HTTP__TOKEN", "0123456789abcdef"),
    ]);
    let config = config.expect("no mistake");
    assert_eq!(
        config
            .store
            .master_key
            .read()
            .expect("a key")
            .expose_secret(),
        KEY
    );
    assert_eq!(
        config.http.token.read().expect("a token").expose_secret(),
        "0123456789abcdef"
    );
    assert_eq!(
        config.broker.url.expose_secret(),
        "amqp://baton:s3cret@rabbit/%2f"
    );
    assert_eq!(
        setting(&config, "broker.url").value,
        "amqp://baton:***@rabbit/%2f"
    );
    assert_eq!(
        setting(&config, "broker.url").origin.to_string(),
        "BATON__BROKER__URL_FILE"
    );
    assert_eq!(setting(&config, "broker.url_file").value, url);
}

#[test]
fn a_stated_secret_of_a_higher_layer_beats_a_file_of_a_lower_one() {
    let given = given("[broker]\nurl_file = '/nowhere'\n");
    let config = given
        .with(&[("BATON__BROKER__URL", "amqp://rabbit")])
        .expect("no mistake");
    assert_eq!(config.broker.url.expose_secret(), "amqp://rabbit");
    assert_eq!(
        setting(&config, "broker.url_file").value,
        serde_json::Value::Null
    );
}

#[test]
fn a_secret_that_cannot_be_used_is_a_mistake_that_does_not_quote_it() {
    assert_mistakes(
        r#"
broker.url_file = '/nowhere'
    baton.toml:1: broker.url_file: "/nowhere" cannot be read (No such file or directory (os error 2)); name a file that holds the secret alone
broker.url = 'http://u:hush@h'
    baton.toml:1: broker.url: not an AMQP address; write "amqp://user:password@host:5672/vhost" (amqps:// in a build with the feature `amqps`)
broker.url = 'amqp:hush'
    baton.toml:1: broker.url: an address without a host; write "amqp://user:password@host:5672/vhost" (amqps:// in a build with the feature `amqps`)
store.url = 'postgres://u:hush@h/b'
    baton.toml:1: store.url: not the address of an SQLite file; write it like "sqlite:baton.db"
store.master_key = 'hush'
    baton.toml:1: store.master_key: not base64 of 32 bytes; write what `baton keygen` makes
http.token = 12345678
    baton.toml:1: http.token: not text; write it in double quotes
http.token = 'hush'
    baton.toml:1: http.token: too short, or not plain letters, digits and signs; write at least 16 of them, as `openssl rand -hex 32` prints them
http = { token = 'a', token_file = 'b' }
    baton.toml:1: http.token_file: stands beside http.token; keep one of the two
"#,
    );
}

#[test]
fn nothing_prints_a_secret() {
    let url = "amqp://baton:s3cret@rabbit/%2f";
    let variables = [
        ("BATON__BROKER__URL", url),
        ("BATON__STORE__MASTER_KEY", KEY),
        ("BATON__HTTP__TOKEN", "hush-hush-hush-hush"),
    ];
    let config = given("").with(&variables).expect("no mistake");
    let json = serde_json::to_string(config.origins()).expect("JSON");
    let shown = format!("{config:?} {config:#?} {} {json}", config.origins());
    for secret in ["s3cret", KEY, "hush"] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }

    // A line that is not TOML may hold a secret as well.
    let mistakes = given("[broker]\nurl = amqp://u:s3cret@h\n[http]\ntoken = \"hush\n")
        .with(&[])
        .expect_err("mistakes");
    let shown = format!("{mistakes} {mistakes:?}");
    assert!(
        !shown.contains("s3cret") && !shown.contains("hush"),
        "{shown}"
    );
}

#[test]
fn a_missing_key_is_made_once_beside_the_database_and_only_we_can_read_it() {
    use std::os::unix::fs::PermissionsExt;

    let given = given("");
    let folder = given.folder.path().to_owned();
    let url = format!("sqlite:{}/baton.db", folder.display());
    let config = given
        .with(&[("BATON__STORE__URL", &url)])
        .expect("no mistake");
    let OwnSecret::Kept(path) = &config.store.master_key else {
        panic!("nobody gave a key")
    };
    assert_eq!(*path, folder.join("baton.key"));
    assert!(!path.exists(), "loading writes nothing");
    assert!(config.store.master_key.read().is_err());

    let made = config.store.master_key.read_or_make().expect("a key");
    let again = config.store.master_key.read_or_make().expect("a key");
    assert_eq!(made.expose_secret(), again.expose_secret());
    assert_eq!(
        path.metadata().expect("a file").permissions().mode() & 0o777,
        0o600
    );

    std::fs::write(path, "\n").expect("a file");
    let empty = config.store.master_key.read_or_make().expect_err("no key");
    assert_eq!(
        empty.to_string(),
        format!("{} holds no secret", path.display())
    );
    std::fs::write(path, made.expose_secret()).expect("a file");

    // It would also do as a key that an operator gives.
    let path = path.display().to_string();
    given
        .with(&[("BATON__STORE__MASTER_KEY_FILE", &path)])
        .expect("no mistake");
}

#[test]
fn files_are_kept_beside_the_database_unless_somebody_says_where() {
    let config = given("store.url = 'sqlite:/data/b.db'\nhttp.listen = '0.0.0.0:81'\n")
        .with(&[])
        .expect("no mistake");
    assert_eq!(
        config.media.store,
        Objects::Folder("/data/baton-media".into())
    );
    assert_eq!(config.http.public_url, "http://0.0.0.0:81");
    assert_eq!(config.media.allow, []);

    let config =
        given("[media]\nstore = 'file:///files'\n[http]\npublic_url = 'https://b.example/chat/'\n")
            .with(&[(
                "BATON__MEDIA__ALLOW",
                "http://files.intranet:8080,https://10.0.0.1",
            )])
            .expect("no mistake");
    assert_eq!(config.media.store, Objects::Folder("/files".into()));
    assert_eq!(config.http.public_url, "https://b.example/chat");
    assert_eq!(config.media.allow.len(), 2);
}

#[test]
fn addresses_that_cannot_be_used_are_mistakes() {
    assert_mistakes(
        r#"
http.public_url = 'baton.example.com'
    baton.toml:1: http.public_url: not an address that begins with http:// or https://; write it like "http://127.0.0.1:8080"
http.public_url = 'https://b.example/?x=1'
    baton.toml:1: http.public_url: not an address that begins with http:// or https://; write it like "http://127.0.0.1:8080"
media.allow = ['http://u:hush@files']
    baton.toml:1: media.allow: not the address of a server, as in "http://files.intranet:8080"; write it like []
media.allow = ['http://files/path']
    baton.toml:1: media.allow: not the address of a server, as in "http://files.intranet:8080"; write it like []
media.link_life = '7'
    baton.toml:1: media.link_life: "7" has no unit; write it like "7d"
"#,
    );
}

#[cfg(not(feature = "s3"))]
#[test]
fn a_bucket_needs_a_build_that_has_them() {
    assert_mistakes(
        r#"
media.store = 's3://bucket/prefix'
    baton.toml:1: media.store: "s3://bucket/prefix" is not a folder (file:…); this build has no buckets; write it like "file:baton-media"
"#,
    );
}
