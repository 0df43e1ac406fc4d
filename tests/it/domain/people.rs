//! Who a contact is to a desk.

use baton::domain::escalation::{Contact, Identity, e164};
use baton::domain::ids::SessionId;

#[test]
fn a_number_in_e164_has_a_plus_and_7_to_15_digits() {
    let table = [
        ("+14155550123", Some("+14155550123")),
        ("  +1 (415) 555-0123 ", Some("+14155550123")),
        ("+49.89.123456", Some("+4989123456")),
        ("+1234567", Some("+1234567")),
        ("+123456", None),
        ("+123456789012345", Some("+123456789012345")),
        ("+1234567890123456", None),
        ("+04155550123", None),
        ("14155550123", None),
        ("0014155550123", None),
        ("+1415555O123", None),
        ("+١٤١٥٥٥٥٠١٢٣", None),
        ("++14155550123", None),
        ("+14155550123;ext=7", None),
        ("+", None),
        ("", None),
    ];
    for (given, expected) in table {
        assert_eq!(e164(given).as_deref(), expected, "{given}");
    }
}

#[test]
fn a_contact_is_their_phone_then_their_verified_email_then_their_id_then_their_session() {
    let (phone, email, id) = (
        Some("+1 415 555 0123"),
        Some("Dana@Example.com"),
        Some("c-81734"),
    );
    // Phone, email, id, verified; and the subject, with whether it outlives the session.
    let table = [
        (phone, email, id, true, "+14155550123", true),
        (phone, email, id, false, "+14155550123", true),
        (phone, None, None, false, "+14155550123", true),
        (None, email, id, true, "dana@example.com", true),
        (None, email, None, true, "dana@example.com", true),
        (None, email, id, false, "contact:c-81734", true),
        (None, email, None, false, "session:s1", false),
        (None, None, id, true, "contact:c-81734", true),
        (None, None, None, true, "session:s1", false),
        (None, None, None, false, "session:s1", false),
        // Not a number that a desk could know: as good as none.
        (Some("555-0123"), email, id, true, "dana@example.com", true),
        (Some("555-0123"), None, id, false, "contact:c-81734", true),
        // Ids and emails that look like somebody else's subject.
        (
            None,
            None,
            Some("+14155550123"),
            false,
            "contact:+14155550123",
            true,
        ),
        (
            None,
            None,
            Some("dana@example.com"),
            false,
            "contact:dana@example.com",
            true,
        ),
        (None, Some("+14155550123"), None, true, "session:s1", false),
        (None, Some("session:s2"), id, true, "contact:c-81734", true),
    ];
    let session = SessionId::from("s1");
    for (phone, email, id, verified, subject, known) in table {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let contact = Contact {
            id: text(id),
            name: None,
            phone: text(phone),
            email: text(email),
            verified,
        };
        let identity = Identity::of(&contact, &session);
        assert_eq!(
            (identity.subject().as_str(), identity.is_known()),
            (subject, known),
            "{contact:?}"
        );
    }
}
