//! The streams of live conversations: renewed without a moment in which nobody listens, found dead, put in order.

use std::time::{Duration, Instant};

use baton::config::Config;
use baton::sim::faults::{Disturbance, Fault, Nth, What};
use baton::sim::salesforce::call;
use baton::sim::salesforce::switches::{OlderCursor, StreamAtExpiry};

use crate::broker::bench::{soon, until};
use crate::world::{Setup, World};

/// As many as a chat of 15 minutes has on tokens of a minute, of which each is renewed a quarter before its end.
const RENEWALS: u32 = 20;

/// Tokens that are renewed when 15 of their 16 seconds are left: a minute passes in less than a second. The org ends a
/// stream with its token, and a new token begins where it was issued.
async fn short_tokens() -> Setup {
    let mut setup = Setup::shared().await;
    setup.org.token_lifetime = Duration::from_secs(16);
    setup.org.switches.stream_at_expiry = StreamAtExpiry::Cut;
    setup.org.switches.older_cursor = OlderCursor::Forgotten;
    setup
}

/// What a rep says, line after line, and how it reached the contact.
struct Chat<'a> {
    world: &'a World,
    session: &'a str,
    rep: baton::sim::salesforce::Rep,
    lines: Vec<String>,
}

impl<'a> Chat<'a> {
    async fn begin(world: &'a World, session: &'a str) -> Self {
        let conversation = world.goes_live(session, "web").await;
        let rep = world.org.rep(&conversation);
        rep.joins();
        world.heard.until_one(session, "lifecycle.rep_joined").await;
        Self {
            world,
            session,
            rep,
            lines: vec![],
        }
    }

    fn say(&mut self) {
        let line = format!("line {}", self.lines.len());
        self.rep.says(&line);
        self.lines.push(line);
    }

    /// The rep writes on and on until then.
    async fn talk_until(&mut self, so: impl Fn(&World) -> bool) {
        soon(async {
            while !so(self.world) {
                self.say();
                tokio::time::sleep(Duration::from_millis(10)).await; // waits for: the rep, who needs some time for a line
            }
        })
        .await;
    }

    async fn until_heard(&self) {
        let count = self.lines.len();
        self.world.heard.until_counted("reply.web", count).await;
    }

    /// Every line arrived once and in order, none of them was found late, and nothing has ended.
    async fn is_whole(&self) {
        self.until_heard().await;
        assert_eq!(self.world.heard.replies(self.session), self.lines);
        for told in self.world.heard.of(self.session) {
            assert_ne!(told.event["data"]["late"], true, "{}", told.event);
            assert_ne!(told.routing_key, "lifecycle.ended");
        }
        assert_eq!(self.world.org.calls(call::CLOSE), 0);
    }

    /// How often nobody listened any more.
    fn gaps(&self) -> u32 {
        self.world.org.look(|ledger| ledger.unheard.values().sum())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_of_fifteen_minutes_on_tokens_of_a_minute_has_no_gap_and_no_end() {
    let mut world = short_tokens().await.build().await;
    world.start().await;
    let mut chat = Chat::begin(&world, "minutes").await;
    chat.talk_until(|world| world.org.calls(call::EVENT_STREAM) > RENEWALS)
        .await;
    chat.is_whole().await;
    assert_eq!(chat.gaps(), 0, "at all times somebody listened");
    assert!(world.org.calls(call::ACCESS_TOKEN) > RENEWALS);
    // Of two streams the older one goes.
    world
        .org
        .wait_for(|ledger| ledger.open_streams() == 1)
        .await;
    assert!(world.org.look(|ledger| ledger.refusals.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_on_while_the_next_one_cannot_be_opened() {
    for call in [call::EVENT_STREAM, call::ACCESS_TOKEN, call::ENTRIES] {
        let mut world = short_tokens().await.build().await;
        world.start().await;
        let mut chat = Chat::begin(&world, "trouble").await;
        let away = Fault::before(What::status(503));
        world.org.faults().fail(call, Nth::Every, away);
        let (opened, tried) = (world.org.calls(call::EVENT_STREAM), world.org.calls(call));
        chat.talk_until(|world| world.org.calls(call) > tried + 5)
            .await;
        chat.until_heard().await;
        assert_eq!(chat.gaps(), 0, "{call}");
        world.org.faults().heal();
        chat.talk_until(|world| world.org.calls(call::EVENT_STREAM) > opened + 7)
            .await;
        chat.is_whole().await;
        assert_eq!(chat.gaps(), 0, "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_dies_before_the_next_one_is_open_leaves_no_hole() {
    let mut world = short_tokens().await.build().await;
    world.start().await;
    let mut chat = Chat::begin(&world, "dies").await;
    for call in [call::EVENT_STREAM, call::ACCESS_TOKEN] {
        let away = Fault::before(What::status(503));
        world.org.faults().fail(call, Nth::Every, away);
        let tried = world.org.calls(call);
        chat.talk_until(|world| world.org.calls(call) > tried + 2)
            .await;
        world.org.expire_tokens();
        chat.talk_until(|world| world.org.calls(call) > tried + 4)
            .await;
        world.org.faults().heal();
        chat.until_heard().await;
    }
    chat.is_whole().await;
    assert!(chat.gaps() > 0, "the streams were cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_asks_beside_the_stream_and_leaves_it_open() {
    let setup = Setup::shared().await;
    let mut world = setup.with("streams", "sweep = \"50ms\"").build().await;
    world.start().await;
    let mut chat = Chat::begin(&world, "swept").await;
    let listed = world.org.calls(call::LIST_CONVERSATIONS);
    chat.talk_until(|world| world.org.calls(call::LIST_CONVERSATIONS) > listed + 10)
        .await;
    chat.is_whole().await;
    assert_eq!(chat.gaps(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_falls_silent_is_noticed_and_what_it_swallowed_is_found() {
    let silence = Duration::from_secs(1);
    let setup = Setup::shared().await;
    let mut world = setup.with("streams", "silence = \"1s\"").build().await;
    // A proxy takes the stream and holds it back: nothing comes, not even a ping, and the connection stays.
    let swallowed = Disturbance::Silence { events: 0 };
    world.org.faults().disturb(Nth::Only(1), swallowed);
    world.start().await;
    let conversation = world.goes_live("silent", "web").await;
    let began = Instant::now();
    let rep = world.org.rep(&conversation);
    rep.joins();
    rep.says("can you hear me?");
    world.heard.until_counted("reply.web", 1).await;
    assert!(began.elapsed() >= silence / 2, "it came over the stream");
    until(|| world.org.look(|ledger| ledger.open_streams()) == 1).await;
    let streams = Config::default().streams;
    let noticed = streams.silence + streams.reconnect_min;
    assert!(noticed <= Duration::from_secs(90), "{noticed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_out_of_order_are_all_kept_and_what_was_overtaken_is_called_late() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    // The stream begins with seven events, from the waiting session to the active one. What comes behind them is the rep's.
    for event in [9, 12] {
        let swap = Disturbance::Swap { event };
        world.org.faults().disturb(Nth::Only(1), swap);
    }
    let mut chat = Chat::begin(&world, "swapped").await;
    for _ in 0..8 {
        chat.say();
        // Two lines of one millisecond have no order.
        world.org.advance(Duration::from_millis(20));
    }
    chat.until_heard().await;
    let of = world.heard.of("swapped");
    let replies = of
        .iter()
        .filter(|told| told.routing_key == "reply.web")
        .map(|told| &told.event["data"]);
    let (late, in_order): (Vec<_>, Vec<_>) = replies.partition(|data| data["late"] == true);
    let text = |data: &serde_json::Value| data["text"].as_str().expect("text").to_owned();
    let mut all: Vec<_> = in_order.iter().map(|data| text(data)).collect();
    assert!(all.is_sorted(), "{all:?}");
    assert_eq!(late.len(), 2, "{late:?}");
    all.extend(late.into_iter().map(text));
    all.sort();
    assert_eq!(all, chat.lines);
}
