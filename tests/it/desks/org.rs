//! The adapter against an org that remembers, in every position of the switches that could matter to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use baton::desk::{Desk, Entry, Heard, Seen};
use baton::domain::error::{Code, DeskError, Remedy};
use baton::domain::handoff::{AccessToken, Earlier, Effect, Ending, Keys};
use baton::domain::ids::{ConversationId, Key, Namespace};
use baton::domain::transcript;
use baton::sim::faults::{Disturbance, Fault, Nth, What};
use baton::sim::salesforce::ledger::ConversationState;
use baton::sim::salesforce::switches::{
    BadIdentity, Done, ErrorBody, FileLinks, LastEventId, RepEnd, RepeatedClose,
    RepeatedConversation, RepeatedMessage, SecondConversation, SessionlessMessage, Switches,
    Transfer,
};
use baton::sim::salesforce::{Options, Org, Variables, call};
use futures_util::StreamExt;
use serde_json::json;
use uuid::Uuid;

use super::{PAIR, connection_with, escalation, now, open};

/// An org that knows the key of our connection, and its desk.
async fn org_with(
    settings: &[(&str, &str)],
    switch: impl FnOnce(&mut Switches),
) -> (Org, Arc<dyn Desk>) {
    let org = Org::start(Options {
        deployment: "Support_Client".into(),
        issuer: "https://baton.acme.example".into(),
        keys: BTreeMap::from([("acme-2026".to_owned(), PAIR.public.clone())]),
        channel_variables: Variables::Any,
        ping_every: Duration::from_millis(50),
        ..Options::default()
    })
    .await
    .expect("an org");
    org.set_time(Duration::from_secs(now().as_second().unsigned_abs()));
    org.switch(switch);
    let mut settings = settings.to_vec();
    settings.push(("scrt_url", org.url()));
    let desk = open(&connection_with(&settings));
    (org, desk)
}

async fn org(switch: impl FnOnce(&mut Switches)) -> (Org, Arc<dyn Desk>) {
    org_with(&[], switch).await
}

/// The steps of one handoff that call the desk, each taken until it goes well.
struct Walk {
    desk: Arc<dyn Desk>,
    keys: Keys,
}

impl Walk {
    fn new(desk: &Arc<dyn Desk>, word: &str) -> Self {
        Self {
            desk: desk.clone(),
            keys: Keys::of(Namespace::new(word), &escalation()),
        }
    }

    async fn access(&self) -> AccessToken {
        let identity = self
            .desk
            .identity_token(&escalation())
            .await
            .expect("a token");
        for _ in 0..3 {
            if let Some(access) = settled(self.desk.access_token(&identity).await) {
                return access;
            }
        }
        panic!("no access");
    }

    async fn create(&self, access: &AccessToken) -> ConversationId {
        for attempt in 0..3 {
            let effect = effect(self.keys.conversation, attempt);
            if let Some(id) = settled(
                self.desk
                    .create_conversation(access, effect, &escalation())
                    .await,
            ) {
                return id;
            }
        }
        panic!("no conversation");
    }

    async fn open(&self, access: &AccessToken, conversation: &ConversationId) {
        let opening = transcript::opening(&escalation(), self.desk.opening_chars_max());
        for attempt in 0..3 {
            let effect = effect(self.keys.opening, attempt);
            let sent = self
                .desk
                .send_opening(access, conversation, effect, &opening, &escalation())
                .await;
            if settled(sent).is_some() {
                return;
            }
        }
        panic!("no opening message");
    }

    async fn close(&self, access: &AccessToken, conversation: &ConversationId) {
        for _ in 0..3 {
            if settled(self.desk.close(access, conversation).await).is_some() {
                return;
            }
        }
        panic!("not closed");
    }

    /// Up to the moment when the rep has the story.
    async fn whole(&self) -> (AccessToken, ConversationId) {
        let access = self.access().await;
        let conversation = self.create(&access).await;
        self.open(&access, &conversation).await;
        (access, conversation)
    }
}

fn effect(key: Key, attempt: usize) -> Effect {
    let earlier = if attempt == 0 {
        Earlier::Never
    } else {
        Earlier::Perhaps
    };
    Effect { key, earlier }
}

/// What came of an attempt; one that failed may be repeated.
fn settled<T>(attempt: Result<T, DeskError>) -> Option<T> {
    attempt
        .map_err(|error| assert_eq!(error.remedy(), Remedy::Wait, "{error}"))
        .ok()
}

/// The words a rep has sent, as far as they stand in the entries.
fn words(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .filter_map(|entry| match &entry.what {
            Seen::Reply { text, .. } => Some(text.clone()),
            _ => None,
        })
        .collect()
}

/// Everything on the stream, until it says that the conversation is over.
async fn hear_all(
    desk: &Arc<dyn Desk>,
    access: &AccessToken,
    conversation: &ConversationId,
) -> Vec<Entry> {
    let (mut cursor, mut entries) = (None, Vec::<Entry>::new());
    for _ in 0..20 {
        let Ok(mut stream) = desk.listen(access, conversation, cursor.as_ref()).await else {
            continue;
        };
        while let Some(Ok(Heard {
            cursor: moved,
            entry,
        })) = stream.next().await
        {
            cursor = moved.or(cursor);
            let Some(entry) = entry else { continue };
            let is_end = matches!(entry.what, Seen::Ended(_));
            if !entries.iter().any(|known| known.id == entry.id) {
                entries.push(entry);
            }
            if is_end {
                return entries;
            }
        }
    }
    panic!("heard no end, only {entries:?}");
}

/// One position of one switch, or of several.
type Position = (&'static str, fn(&mut Switches));

const POSITIONS: &[Position] = &[
    ("as likely", |_| {}),
    ("conversation 409", |it| {
        it.repeated_conversation = RepeatedConversation::Conflict
    }),
    ("message 400", |it| {
        it.repeated_message = RepeatedMessage::BadRequest
    }),
    ("message 409", |it| {
        it.repeated_message = RepeatedMessage::Conflict
    }),
    ("closed is gone", |it| {
        it.repeated_close = RepeatedClose::NotFound
    }),
    ("200", |it| {
        (it.deletes, it.repeated_close) = (Done::Ok, RepeatedClose::Accepted)
    }),
    ("errors are text", |it| {
        it.error_body = ErrorBody::Text;
        it.repeated_message = RepeatedMessage::BadRequest;
        it.repeated_conversation = RepeatedConversation::Conflict;
    }),
    ("errors are bare", |it| {
        (it.error_body, it.last_event_id) = (ErrorBody::Message, LastEventId::Number)
    }),
    ("ended only", |it| it.rep_end = RepEnd::EndedOnly),
    ("ended first", |it| it.rep_end = RepEnd::EndedThenRemoved),
    ("added first", |it| {
        (it.transfer, it.file_links) = (Transfer::AddFirst, FileLinks::Plain)
    }),
];

#[tokio::test]
async fn a_handoff_goes_from_token_to_close_in_every_position() {
    for (position, switch) in POSITIONS {
        let (org, desk) = org(switch).await;
        let walk = Walk::new(&desk, "one");
        let (access, conversation) = walk.whole().await;
        assert_eq!(conversation.as_str(), walk.keys.conversation.to_string());

        let rep = org.rep(conversation.as_str());
        rep.joins();
        rep.types();
        rep.says("Hi, this is Maria");
        rep.whispers("a difficult one");
        rep.auto_response("You are next");
        rep.sends_file("receipt.png", "image/png", "x", Some("look"));
        let rep = rep.transfers_to("Ben");
        rep.says("Bonjour, ça va ? 🙂");
        rep.offers("Which one?", &["5512", "5513"]);
        rep.ends();

        let heard = hear_all(&desk, &access, &conversation).await;
        let said = [
            "Hi, this is Maria",
            "look",
            "Bonjour, ça va ? 🙂",
            "Which one?\n1. 5512\n2. 5513",
        ];
        assert_eq!(words(&heard), said, "{position}");
        assert!(heard.iter().any(|entry| matches!(&entry.what, Seen::Reply { files, .. } if files.len() == 1 && !files[0].url.contains("&amp;"))));
        assert!(
            heard
                .iter()
                .any(|entry| matches!(entry.what, Seen::RepJoined(_))),
            "{position}"
        );
        assert!(
            heard.iter().any(|entry| entry.what == Seen::Transferred),
            "{position}"
        );
        assert_eq!(
            heard.last().map(|entry| &entry.what),
            Some(&Seen::Ended(Ending::RepEnded)),
            "{position}"
        );

        let listed = desk
            .entries_since(&access, &conversation, None)
            .await
            .expect("entries");
        assert_eq!(words(&listed), said, "{position}");
        assert!(
            heard
                .iter()
                .all(|entry| matches!(entry.what, Seen::Typing { .. }) || listed.contains(entry)),
            "{position}"
        );

        walk.close(&access, &conversation).await;
        let again = walk.access().await;
        walk.close(&again, &conversation).await;
        let ledger = org.ledger();
        assert_eq!(
            ledger.conversations[0].state,
            ConversationState::Closed,
            "{position}"
        );
        assert_eq!(ledger.conversations.len(), 1, "{position}");
        assert_eq!(ledger.calls(call::REVOKE_TOKEN), 2, "{position}");
        let sent = json!({
            "OpencxSessionId": "6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51", "Chat_Consumer_Type": "Authenticated",
            "Origin": "MIABOT", "Priority": "Low", "Chat_language": "en", "Department": "Billing",
        });
        assert_eq!(
            json!(ledger.conversations[0].sessions[0].accepted),
            sent,
            "{position}"
        );
    }
}

#[tokio::test]
async fn any_one_fault_in_any_call_leaves_one_conversation_and_one_message() {
    let mut faults = vec![Fault::after(What::Hang)];
    for what in [
        What::status(503),
        What::RateLimited { retry_after: None },
        What::Cut,
        What::Garbage,
    ] {
        faults.extend([Fault::before(what.clone()), Fault::after(what)]);
    }
    let strict: Position = ("repeats are refused", |it| {
        it.repeated_conversation = RepeatedConversation::Conflict;
        it.repeated_message = RepeatedMessage::BadRequest;
        it.repeated_close = RepeatedClose::NotFound;
    });
    for (position, switch) in [POSITIONS[0], strict] {
        for name in [
            call::ACCESS_TOKEN,
            call::CREATE_CONVERSATION,
            call::MESSAGE,
            call::CLOSE,
        ] {
            for fault in faults.clone() {
                // Garbage with a good status is a success where only the status counts.
                if fault == Fault::before(What::Garbage) && name != call::ACCESS_TOKEN {
                    continue;
                }
                let (org, desk) = org(switch).await;
                org.faults().fail(name, Nth::Next(1), fault.clone());
                let walk = Walk::new(&desk, "one");
                let (access, conversation) = walk.whole().await;
                walk.close(&access, &conversation).await;
                let ledger = org.ledger();
                let case = format!("{position}, {name}, {fault:?}");
                assert_eq!(org.faults().fired().len(), 1, "{case}");
                assert_eq!(ledger.conversations.len(), 1, "{case}");
                assert_eq!(
                    ledger.conversations[0].state,
                    ConversationState::Closed,
                    "{case}"
                );
                let opening = walk.keys.opening.to_string();
                let messages: Vec<&str> = ledger.conversations[0]
                    .messages()
                    .map(|entry| entry.identifier.as_str())
                    .collect();
                assert_eq!(messages, [opening.as_str()], "{case}");
                assert!(ledger.repeats.iter().all(|repeat| repeat.same), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_contact_who_comes_back_gets_a_session_in_the_conversation_that_is_still_open() {
    for second in [
        SecondConversation::Created,
        SecondConversation::Conflict,
        SecondConversation::PreconditionFailed,
    ] {
        for sessionless in [
            SessionlessMessage::StartsSession,
            SessionlessMessage::ExpectationFailed,
        ] {
            let (org, desk) =
                org(|it| (it.second_conversation, it.sessionless_message) = (second, sessionless))
                    .await;
            let (_, first) = Walk::new(&desk, "one").whole().await;
            org.rep(first.as_str()).joins();
            org.rep(first.as_str()).ends();

            let walk = Walk::new(&desk, "two");
            let (access, conversation) = walk.whole().await;
            let is_new = second == SecondConversation::Created;
            assert_eq!(conversation != first, is_new, "{second:?}");
            let again = walk.create(&access).await;
            walk.open(&access, &again).await;
            assert_eq!(again, conversation);

            let ledger = org.ledger();
            let opened = ledger
                .conversation(conversation.as_str())
                .expect("a conversation");
            assert_eq!(
                opened.sessions.len(),
                if is_new { 1 } else { 2 },
                "{second:?} {sessionless:?}"
            );
            assert_eq!(opened.session().accepted["Origin"], "MIABOT");
            let opening = walk.keys.opening.to_string();
            assert_eq!(
                opened
                    .messages()
                    .filter(|entry| entry.identifier == opening)
                    .count(),
                1
            );
        }
    }
}

#[tokio::test]
async fn a_full_org_is_worth_another_try() {
    let (org, desk) = org(|it| it.storage = baton::sim::salesforce::switches::Storage::Full).await;
    let walk = Walk::new(&desk, "one");
    let access = walk.access().await;
    let created = desk
        .create_conversation(&access, effect(walk.keys.conversation, 0), &escalation())
        .await;
    assert!(
        matches!(created, Err(DeskError::Unavailable { status: 412, .. })),
        "{created:?}"
    );
    assert!(org.ledger().conversations.is_empty());
}

#[tokio::test]
async fn wrong_credentials_are_found_by_verifying_in_every_position() {
    for bad in [
        BadIdentity::Unauthorized,
        BadIdentity::BadRequest,
        BadIdentity::Anonymous,
    ] {
        for wrong in [
            ("issuer", "https://other.example"),
            ("auth_key_id", "another"),
        ] {
            let (_org, desk) = org_with(&[wrong], |it| it.bad_identity = bad).await;
            let verdict = desk.verify().await;
            assert!(
                matches!(
                    verdict,
                    Err(DeskError::Misconfigured {
                        code: Code::BadCredentials,
                        ..
                    })
                ),
                "{bad:?}: {verdict:?}"
            );
        }
    }
    for wrong in [
        ("es_developer_name", "Web_Widget"),
        ("es_developer_name", "Unknown"),
        ("org_id", "00Dyy0000000yyy"),
    ] {
        let (_org, desk) = org_with(&[wrong], |_| {}).await;
        let verdict = desk.verify().await;
        assert!(
            matches!(
                verdict,
                Err(DeskError::Misconfigured {
                    code: Code::BadDeployment,
                    ..
                })
            ),
            "{wrong:?}: {verdict:?}"
        );
    }
    let (org, desk) = org(|_| {}).await;
    assert!(desk.verify().await.is_ok());
    assert!(org.ledger().conversations.is_empty());
}

#[tokio::test]
async fn a_disturbed_stream_loses_nothing_when_it_is_resumed() {
    let disturbances = [
        Disturbance::CutAfter { events: 3 },
        Disturbance::CutInFrame { event: 4 },
        Disturbance::CutInCharacter,
        Disturbance::Silence { events: 5 },
        Disturbance::Repeat { times: 3 },
        Disturbance::Strangers,
        Disturbance::WithoutIds,
    ];
    for disturbance in disturbances {
        let (org, desk) = org(|_| {}).await;
        let (access, conversation) = Walk::new(&desk, "one").whole().await;
        org.faults().disturb(Nth::Next(1), disturbance);
        let rep = org.rep(conversation.as_str());
        rep.joins();
        let said: Vec<String> = (1..=5).map(|nth| format!("ça {nth}")).collect();
        for text in &said {
            rep.says(text);
        }
        rep.ends();
        let heard = hear_all(&desk, &access, &conversation).await;
        assert_eq!(words(&heard), said, "{disturbance:?}");
    }
}

#[tokio::test]
async fn an_expired_token_is_told_from_everything_else() {
    let (org, desk) = org(|_| {}).await;
    let walk = Walk::new(&desk, "one");
    let (access, conversation) = walk.whole().await;
    org.expire_tokens();
    let renew = |error: DeskError| assert_eq!(error.remedy(), Remedy::Renew, "{error}");
    let opening = transcript::opening(&escalation(), 500);
    let key = Key(Uuid::from_u128(7));
    desk.create_conversation(&access, effect(key, 0), &escalation())
        .await
        .map_err(renew)
        .expect_err("expired");
    desk.send_opening(
        &access,
        &conversation,
        effect(key, 0),
        &opening,
        &escalation(),
    )
    .await
    .map_err(renew)
    .expect_err("expired");
    desk.entries_since(&access, &conversation, None)
        .await
        .map_err(renew)
        .expect_err("expired");
    desk.close(&access, &conversation)
        .await
        .map_err(renew)
        .expect_err("expired");
    let Err(error) = desk.listen(&access, &conversation, None).await else {
        panic!("a stream");
    };
    renew(error);

    let access = walk.access().await;
    org.rep(conversation.as_str()).joins();
    let rep = org.rep(conversation.as_str());
    rep.says("still here");
    rep.ends();
    let heard = hear_all(&desk, &access, &conversation).await;
    assert_eq!(words(&heard), ["still here"]);
}
