//! What is sealed opens under the same key and for the same row, and nowhere else.

use baton::domain::seal::{ExposeSecret, MasterKey, SealError};

const ABOUT: &str = "connection acme";

fn key() -> MasterKey {
    MasterKey::parse(&MasterKey::generate()).expect("a key")
}

#[test]
fn what_is_sealed_opens_again() {
    let key = key();
    for plain in ["", "secret", "with é and 😀", &"long ".repeat(10_000)] {
        let sealed = key.seal(plain, ABOUT);
        assert_eq!(
            key.open(&sealed, ABOUT).expect("opens").expose_secret(),
            plain
        );
    }
    let (one, other) = (key.seal("secret", ABOUT), key.seal("secret", ABOUT));
    assert_ne!(one, other, "the same secret twice does not show as such");
    assert!(!String::from_utf8_lossy(&one).contains("secret"));
}

#[test]
fn a_key_survives_being_written_down() {
    let text = MasterKey::generate();
    let sealed = MasterKey::parse(&text)
        .expect("a key")
        .seal("secret", ABOUT);
    let again = MasterKey::parse(&format!(" {text}\n")).expect("a key");
    assert_eq!(
        again.open(&sealed, ABOUT).expect("opens").expose_secret(),
        "secret"
    );
    assert_ne!(text, MasterKey::generate());
}

#[test]
fn another_key_another_row_or_a_change_opens_nothing() {
    let key = key();
    let sealed = key.seal("secret", ABOUT);
    let refused = |key: &MasterKey, sealed: &[u8], about: &str| {
        let error = key.open(sealed, about).expect_err("does not open");
        assert!(matches!(&error, SealError::CannotOpen { about: it } if it == about));
        error.to_string()
    };
    let said = "cannot open what is sealed for connection acme: the master key is another one, or the value was changed; give the key it was sealed under";
    assert_eq!(refused(&self::key(), &sealed, ABOUT), said);
    refused(&key, &sealed, "connection other");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        refused(&key, &changed, ABOUT);
        refused(&key, &sealed[..at], ABOUT);
    }
    refused(&key, &[sealed.clone(), vec![0]].concat(), ABOUT);
}

#[test]
fn a_key_is_32_bytes_of_base64() {
    let said = "the master key must be 32 bytes in base64; `baton keygen` makes one";
    for bad in [
        "",
        "secret",
        "c2VjcmV0",
        &"A".repeat(64),
        "not base64 at all!",
    ] {
        assert_eq!(MasterKey::parse(bad).expect_err("no key").to_string(), said);
    }
}
