//! The live work item: what is in it, whom it is linked to, and that there is one of it.

use baton::domain::channel::Channel;
use baton::domain::error::DeskError;
use baton::domain::escalation::Escalation;
use baton::domain::handoff::Earlier;
use baton::sim::dynamics::switches::{EmailCase, RepeatedElastic};
use baton::sim::dynamics::{Contact, Options, Profile, WORKSTREAM, call};
use baton::sim::faults::{Fault, Nth, What};
use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation;

use super::{Fixture, KEY, contact, escalation};

const DANA: &str = "44444444-4444-4444-4444-444444444444";
const OTHER: &str = "44444444-4444-4444-4444-444444444445";
const LINK: &str = "msdyn_customer_msdyn_ocliveworkitem_contact";

fn with_contacts(contacts: &[(&str, &str, u8)]) -> Options {
    let contacts = contacts.iter().map(|(id, email, state)| Contact {
        id: (*id).to_owned(),
        email: (*email).to_owned(),
        state: *state,
    });
    Options {
        contacts: contacts.collect(),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_work_item_has_what_the_public_page_promises() {
    let fixture = Fixture::new().await;
    let about = escalation(json!({
        "summary": "Refund for order 1182\nnot received", "attributes": { "Department": "Billing" },
    }));
    let id = fixture.create(&about).await.expect("a work item");
    let items = fixture.org.work_items();
    assert_eq!(items.len(), 1);
    let item = &items[0];
    assert_eq!(
        (item.id.as_str(), id.as_str()),
        (id.as_str(), "55bed77d-f28a-4723-a603-43917aef6355")
    );
    assert_eq!(item.text("subject"), "Refund for order 1182 not received");
    assert_eq!(
        item.text("msdyn_title"),
        "Refund for order 1182 not received"
    );
    assert_eq!(item.text("msdyn_ocliveworkitemid"), id.as_str());
    assert_eq!(item.text("msdyn_channel"), "192340000");
    assert_eq!(
        item.text("description"),
        format!(
            "Channel: sms\nPhone: +14155550123\nSession: {}\nSummary: Refund for order 1182 not received",
            about.session
        )
    );
    assert_eq!(
        item.link("msdyn_liveworkstreamid_msdyn_ocliveworkitem"),
        Some(WORKSTREAM)
    );
    assert_eq!(item.link(LINK), None);
    let context = fixture.org.context(id.as_str());
    let expected = [
        ("Department", "Billing"),
        ("channel", "sms"),
        ("customerPhone", "+14155550123"),
        ("sessionId", about.session.as_str()),
    ];
    assert_eq!(
        context,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let ledger = fixture.org.ledger();
    assert!(
        ledger
            .of(baton_kind())
            .all(|row| row.value("msdyn_isdisplayable") == &Value::Bool(true)),
        "the rep sees them"
    );
}

fn baton_kind() -> baton::sim::dynamics::ledger::Kind {
    baton::sim::dynamics::ledger::Kind::ContextItem
}

#[tokio::test]
async fn each_channel_has_its_number() {
    let channels = [
        (Channel::Web, "192360000"),
        (Channel::Sms, "192340000"),
        (Channel::Whatsapp, "192300000"),
        (Channel::Phone, "192370000"),
    ];
    for (channel, number) in channels {
        let fixture = Fixture::new().await;
        let about = Escalation {
            channel,
            ..escalation(json!({}))
        };
        fixture.create(&about).await.expect("a work item");
        assert_eq!(fixture.org.work_items()[0].text("msdyn_channel"), number);
    }
}

#[tokio::test]
async fn a_subject_is_cut_at_200_units_between_graphemes() {
    let family = "👩‍👩‍👧‍👦";
    let table = [
        ("x".repeat(200), "x".repeat(200)),
        ("x".repeat(201), format!("{}…", "x".repeat(199))),
        // 11 units, and never a part of it.
        (family.repeat(19), format!("{}…", family.repeat(18))),
        ("é".repeat(300), format!("{}…", "é".repeat(199))),
        (
            "e\u{301}".repeat(300),
            format!("{}…", "e\u{301}".repeat(99)),
        ),
        (
            "word ".repeat(60),
            format!("{}…", "word ".repeat(39) + "word"),
        ),
    ];
    for (summary, expected) in table {
        let fixture = Fixture::new().await;
        let about = escalation(json!({ "summary": summary }));
        fixture.create(&about).await.expect("a work item");
        let items = fixture.org.work_items();
        let subject = items[0].text("subject");
        assert_eq!(subject, expected);
        assert!(subject.encode_utf16().count() <= 200);
        assert!(
            summary.graphemes(true).collect::<Vec<_>>().starts_with(
                &subject
                    .trim_end_matches('…')
                    .graphemes(true)
                    .collect::<Vec<_>>()
            )
        );
    }
}

#[tokio::test]
async fn a_work_item_has_a_subject_without_a_summary_too() {
    for summary in [Value::Null, json!(""), json!(" \u{0} ")] {
        let fixture = Fixture::new().await;
        let about = escalation(json!({ "summary": summary }));
        fixture.create(&about).await.expect("a work item");
        assert_eq!(
            fixture.org.work_items()[0].text("subject"),
            "Conversation by sms handed over by the AI"
        );
    }
}

#[tokio::test]
async fn long_stories_fit_every_column() {
    let fixture = Fixture::with(Options::default(), &[("attribute.Story", "summary")]).await;
    let about = escalation(json!({ "summary": "🙂 and more ".repeat(2000) }));
    fixture.create(&about).await.expect("a work item");
    let item = &fixture.org.work_items()[0];
    for (column, units) in [
        ("subject", 200),
        ("msdyn_title", 4000),
        ("description", 2000),
    ] {
        let used = item.text(column).encode_utf16().count();
        assert!((units - 20..=units).contains(&used), "{column}: {used}");
    }
    assert!(item.text("description").contains("Phone: +14155550123"));
}

#[tokio::test]
async fn only_a_verified_email_is_looked_up() {
    let options = with_contacts(&[(DANA, "jo.o'brien@example.com", 0)]);
    for (email, verified, link) in [
        ("jo.o'brien@example.com", true, Some(DANA)),
        ("Jo.O'Brien@Example.com", true, Some(DANA)),
        ("nobody@example.com", true, None),
        ("jo.o'brien@example.com", false, None),
    ] {
        let fixture = Fixture::with(options.clone(), &[]).await;
        fixture
            .create(&escalation(contact(email, verified)))
            .await
            .expect("a work item");
        assert_eq!(fixture.org.work_items()[0].link(LINK), link, "{email}");
        let lookups = fixture.org.ledger().lookups;
        assert_eq!(lookups.len(), usize::from(verified), "{lookups:?}");
    }
    let fixture = Fixture::with(options, &[]).await;
    fixture
        .create(&escalation(json!({})))
        .await
        .expect("a work item");
    assert_eq!(fixture.org.calls(call::FIND_CONTACTS), 0);
}

#[tokio::test]
async fn of_several_contacts_none_is_the_right_one_and_inactive_ones_do_not_count() {
    let email = "dana@example.com";
    for (contacts, link) in [
        (vec![(DANA, email, 0), (OTHER, email, 0)], None),
        (vec![(DANA, email, 1), (OTHER, email, 0)], Some(OTHER)),
        (vec![(DANA, email, 1)], None),
    ] {
        let fixture = Fixture::with(with_contacts(&contacts), &[]).await;
        fixture
            .create(&escalation(contact(email, true)))
            .await
            .expect("a work item");
        assert_eq!(fixture.org.work_items()[0].link(LINK), link);
    }
}

#[tokio::test]
async fn where_case_counts_the_address_is_taken_as_it_came() {
    let fixture = Fixture::with(with_contacts(&[(DANA, "Dana@example.com", 0)]), &[]).await;
    fixture
        .org
        .switch(|switches| switches.email_case = EmailCase::Counts);
    fixture
        .create(&escalation(contact("Dana@example.com", true)))
        .await
        .expect("a work item");
    assert_eq!(fixture.org.work_items()[0].link(LINK), Some(DANA));
}

#[tokio::test]
async fn a_lookup_that_is_refused_is_done_without() {
    let fixture = Fixture::with(with_contacts(&[(DANA, "dana@example.com", 0)]), &[]).await;
    fixture.org.switch(|switches| {
        switches.missing_privileges.insert("prvReadContact".into());
    });
    fixture
        .create(&escalation(contact("dana@example.com", true)))
        .await
        .expect("a work item");
    assert_eq!(fixture.org.work_items()[0].link(LINK), None);
}

#[tokio::test]
async fn a_lookup_that_fails_is_tried_again_and_then_done_without() {
    let fixture = Fixture::with(with_contacts(&[(DANA, "dana@example.com", 0)]), &[]).await;
    let fault = Fault::before(What::status(503));
    fixture
        .org
        .faults()
        .fail(call::FIND_CONTACTS, Nth::Every, fault);
    let about = escalation(contact("dana@example.com", true));
    let first = fixture.create(&about).await;
    assert!(
        matches!(first, Err(DeskError::Unavailable { .. })),
        "{first:?}"
    );
    assert_eq!(fixture.org.work_items().len(), 0);
    fixture
        .create_again(&about, Earlier::Perhaps)
        .await
        .expect("a work item");
    assert_eq!(fixture.org.work_items()[0].link(LINK), None);
}

#[tokio::test]
async fn a_contact_that_is_deleted_meanwhile_is_left_out() {
    for status in [
        baton::sim::dynamics::switches::AbsentLink::NotFound,
        baton::sim::dynamics::switches::AbsentLink::BadRequest,
    ] {
        let fixture = Fixture::with(with_contacts(&[(DANA, "dana@example.com", 0)]), &[]).await;
        fixture.org.switch(|switches| switches.absent_link = status);
        let slow = Fault::before(What::Slow { millis: 200 });
        fixture
            .org
            .faults()
            .fail(call::CREATE_WORK_ITEM, Nth::Only(1), slow);
        let about = escalation(contact("dana@example.com", true));
        let deleting = async {
            fixture
                .org
                .wait_for(|ledger| ledger.calls(call::CREATE_WORK_ITEM) == 1)
                .await;
            fixture.org.delete_contact(DANA);
        };
        let (created, ()) = tokio::join!(fixture.create(&about), deleting);
        created.expect("a work item");
        assert_eq!(fixture.org.work_items()[0].link(LINK), None);
    }
}

#[tokio::test]
async fn a_second_time_changes_nothing() {
    for table in ["standard", "elastic", "both"] {
        for elastic in [
            RepeatedElastic::PreconditionFailed,
            RepeatedElastic::Overwritten,
        ] {
            let fixture = Fixture::with(Options::default(), &[("context_table", table)]).await;
            fixture
                .org
                .switch(|switches| switches.repeated_elastic = elastic);
            let about = escalation(json!({ "attributes": {} }));
            let first = fixture.create(&about).await.expect("a work item");
            let rows = fixture.org.ledger().rows.len();
            let second = fixture
                .create_again(&about, Earlier::Perhaps)
                .await
                .expect("a work item");
            assert_eq!(first, second);
            assert_eq!(fixture.org.ledger().rows.len(), rows);
            let variables = fixture.org.context(first.as_str());
            let tables = if table == "both" { 2 } else { 1 };
            assert_eq!(variables.len(), 3 * tables, "{table}: {variables:?}");
        }
    }
}

#[tokio::test]
async fn configured_attributes_become_context_variables() {
    let settings = [
        ("attribute.Brand", "session.custom.Brand"),
        ("attribute.Tier", "\"Gold\""),
        ("attribute.Nothing", "session.custom.Nothing"),
        ("attribute.Department", "\"from the setting\""),
    ];
    let fixture = Fixture::with(Options::default(), &settings).await;
    let about = escalation(json!({
        "attributes": { "Department": "Billing", "sessionId": "not mine to set", "no name": "x" },
    }));
    let id = fixture.create(&about).await.expect("a work item");
    let context = fixture.org.context(id.as_str());
    let value = |name: &str| {
        let found = context.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(value("Brand"), Some("Acme"));
    assert_eq!(value("Tier"), Some("Gold"));
    assert_eq!(value("Nothing"), None);
    assert_eq!(value("Department"), Some("Billing"));
    assert_eq!(value("sessionId"), Some(about.session.as_str()));
    assert_eq!(value("no name"), None);
}

#[tokio::test]
async fn the_names_of_the_public_page_are_a_profile() {
    let options = Options {
        profile: Profile::Page,
        contacts: with_contacts(&[(DANA, "dana@example.com", 0)]).contacts,
        ..Options::default()
    };
    let fixture = Fixture::with(options, &[("schema_profile", "oc_liveworkitem")]).await;
    let about = escalation(contact("dana@example.com", true));
    let id = fixture.create(&about).await.expect("a work item");
    fixture.open_with(&about).await.expect("an opening");
    let item = &fixture.org.work_items()[0];
    assert_eq!(item.link("workstreamId"), Some(WORKSTREAM));
    assert_eq!(item.link("oc_customer_contact"), Some(DANA));
    assert!(
        fixture
            .org
            .context(id.as_str())
            .contains(&("channel".to_owned(), "sms".to_owned()))
    );
    assert_eq!(
        fixture.org.notes()[0].link("objectid_oc_liveworkitem"),
        Some(KEY.to_string().as_str())
    );
}

#[tokio::test]
async fn one_name_can_be_set_where_tables_differ() {
    let fixture = Fixture::with(
        Options::default(),
        &[
            ("schema.title", "-"),
            ("schema.phone", "msdyn_customerlocale"),
        ],
    )
    .await;
    fixture
        .create(&escalation(json!({})))
        .await
        .expect("a work item");
    let item = &fixture.org.work_items()[0];
    assert_eq!(item.value("msdyn_title"), &Value::Null);
    assert_eq!(item.text("msdyn_customerlocale"), "+14155550123");
}

#[tokio::test]
async fn closing_is_natural() {
    let fixture = Fixture::new().await;
    let id = fixture
        .create(&escalation(json!({})))
        .await
        .expect("a work item");
    let access = fixture.access().await;
    for _ in 0..2 {
        fixture.desk.close(&access, &id).await.expect("closed");
    }
    let item = &fixture.org.work_items()[0];
    assert_eq!(
        (item.value("statecode"), item.value("statuscode")),
        (&json!(1), &json!(4))
    );
    let gone = "55bed77d-f28a-4723-a603-43917aef6000".into();
    fixture
        .desk
        .close(&access, &gone)
        .await
        .expect("nothing to close");
    assert_eq!(fixture.org.work_items().len(), 1, "closing makes none");
}
