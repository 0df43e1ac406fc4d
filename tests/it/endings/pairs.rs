//! Endings that come together: whichever is first, the world is told of one end.

use baton::sim::salesforce::Rep;
use baton::sim::salesforce::ledger::ConversationState;
use reqwest::Method;

use super::Chat;
use crate::world::{CONNECTION, Setup, World};

/// A signal that ends a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Rep,
    Idle,
    Contact,
    Operator,
    Admin,
}

impl End {
    const ALL: [End; 5] = [
        Self::Rep,
        Self::Idle,
        Self::Contact,
        Self::Operator,
        Self::Admin,
    ];

    fn reason(self) -> &'static str {
        match self {
            Self::Rep => "rep_ended",
            Self::Idle => "inactivity",
            Self::Contact => "contact_left",
            Self::Operator => "operator",
            Self::Admin => "desk_error",
        }
    }

    /// Whether it needs a worker that runs.
    fn needs_the_worker(self) -> bool {
        self == Self::Operator
    }

    async fn happens(self, world: &World, chat: &Chat, rep: &Rep) {
        match self {
            Self::Rep => rep.ends(),
            Self::Idle => {
                rep.idles();
                rep.ends();
            }
            Self::Contact => world.contact_leaves(&chat.session).await,
            Self::Operator => {
                let path = format!("handoffs/{}/end", chat.conversation);
                let (status, said) = world.api(Method::POST, &path).await;
                // 409 when the other was first.
                assert!(matches!(status, 200 | 409), "{status}: {said}");
            }
            Self::Admin => {
                let closed = ConversationState::Closed;
                world.org.settle(&chat.conversation, closed);
            }
        }
    }
}

/// Every two that differ, in both orders. What the desk says of its session in two ways is one signal of it.
fn pairs() -> impl Iterator<Item = (End, End)> {
    let two = |first: End| End::ALL.map(|second| (first, second));
    let is_pair = |(first, second): &(End, End)| first != second;
    End::ALL.into_iter().flat_map(two).filter(is_pair)
}

async fn world() -> World {
    Setup::shared()
        .await
        .with("streams", "sweep = \"1s\"")
        .build()
        .await
}

/// Each of them has ended for one of its two reasons, and that was told once; on the wire, too, where it can be said.
async fn ended_once(world: &World, chats: &[(Chat, End, End)]) {
    for (chat, first, second) in chats {
        let reasons = [first.reason(), second.reason()];
        world.is_over(chat, &reasons, 1).await;
    }
    for (chat, first, second) in chats {
        let told = world.count(&chat.session, "ended");
        assert_eq!(told, 1, "{first:?} and {second:?}");
    }
    assert!(world.heard.dead().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_endings_at_once_are_one_end() {
    let mut world = world().await;
    world.start().await;
    let mut chats = vec![];
    for (first, second) in pairs() {
        let (chat, rep) = world.chat(&format!("{first:?}-{second:?}")).await;
        // The calls of a test need not arrive in its order: that is what "at once" means.
        tokio::join!(
            first.happens(&world, &chat, &rep),
            second.happens(&world, &chat, &rep)
        );
        chats.push((chat, first, second));
    }
    ended_once(&world, &chats).await;
    // Nobody died, so nothing was published twice.
    let all = world.heard.all();
    let ends = all
        .iter()
        .filter(|told| told.routing_key == "lifecycle.ended");
    assert_eq!(ends.count(), chats.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_endings_while_the_worker_is_down_are_one_end() {
    let mut world = world().await;
    world.start().await;
    let mut chats = vec![];
    for (first, second) in pairs() {
        if !first.needs_the_worker() && !second.needs_the_worker() {
            let chat = world.chat(&format!("{first:?}-{second:?}")).await;
            chats.push((chat, first, second));
        }
    }
    world.kill().await;
    for ((chat, rep), first, second) in &chats {
        first.happens(&world, chat, rep).await;
        second.happens(&world, chat, rep).await;
    }
    world.start().await;
    let chats: Vec<_> = chats
        .into_iter()
        .map(|((chat, _), first, second)| (chat, first, second))
        .collect();
    ended_once(&world, &chats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_removal_of_a_connection_and_any_other_ending_are_one_end() {
    let mut world = world().await;
    world.start().await;
    let mut chats = vec![];
    for end in End::ALL {
        let chat = world.chat(&format!("{end:?}-removed")).await;
        chats.push((chat, end));
    }
    let path = format!("connections/{CONNECTION}?mode=force");
    let signals = async {
        for ((chat, rep), end) in &chats {
            end.happens(&world, chat, rep).await;
        }
    };
    let ((status, said), ()) = tokio::join!(world.api(Method::DELETE, &path), signals);
    assert_eq!(status, 200, "{said}");
    for ((chat, _), end) in &chats {
        let reasons = [end.reason(), "connection_removed"];
        world.is_over(chat, &reasons, 1).await;
        assert_eq!(world.count(&chat.session, "ended"), 1, "{end:?}");
    }
    super::gone(&world).await;
}
