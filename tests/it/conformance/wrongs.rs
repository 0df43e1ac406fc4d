//! Wrong credentials of each kind, and set-up that is missing: each has a message of its own, which names the setting
//! and says what to change.

use std::collections::BTreeMap;

use baton::desk;
use baton::desk::http::Http;
use baton::domain::connection::Connection;
use baton::domain::error::Remedy;
use futures_util::future::BoxFuture;

use super::{
    Act, DynamicsStand, SalesforceStand, Stand, Walk, ZendeskStand, http, open, stand_with,
};

/// One mistake, and the message that an admin gets.
pub struct Wrong<S: Stand> {
    pub name: &'static str,
    /// How it comes about. Ways that the desk answers alike are one mistake.
    pub ways: Vec<Way<S>>,
    pub found: Found,
    /// The setting that the message names.
    pub setting: &'static str,
    /// What it says to do.
    pub advice: &'static str,
}

/// When it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// As soon as the connection is saved.
    Saving,
    /// By `baton connection verify` and `baton doctor`; and a handoff is set aside with the same words.
    Verifying,
    /// By those too, but a handoff goes on, because of this.
    VerifyingOnly(&'static str),
    /// By a handoff alone, because of this.
    HandingOver(&'static str),
}

/// A way to get something wrong: at the desk, in the connection, or afterwards.
pub struct Way<S: Stand> {
    desk: fn(&mut S::Options),
    settings: Vec<(&'static str, String)>,
    afterwards: Option<Afterwards<S>>,
}

type Afterwards<S> = for<'a> fn(&'a S, &'a mut Connection) -> BoxFuture<'a, ()>;

impl<S: Stand> Way<S> {
    pub fn desk(desk: fn(&mut S::Options)) -> Self {
        Self {
            desk,
            settings: vec![],
            afterwards: None,
        }
    }

    pub fn setting(name: &'static str, value: impl Into<String>) -> Self {
        Self::desk(|_| ()).and(name, value)
    }

    pub fn afterwards(afterwards: Afterwards<S>) -> Self {
        Self {
            afterwards: Some(afterwards),
            ..Self::desk(|_| ())
        }
    }

    pub fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// The desk and the connection with the mistake made; secrets are moved where they belong when it is saved.
    async fn make(&self, http: &Http) -> (S, Connection) {
        let mut options = S::options();
        (self.desk)(&mut options);
        let (stand, mut connection) = stand_with::<S>(options, http).await;
        for (name, value) in &self.settings {
            connection.secrets.remove(*name);
            connection.settings.insert((*name).into(), value.clone());
        }
        if let Some(afterwards) = self.afterwards {
            afterwards(&stand, &mut connection).await;
        }
        (stand, connection)
    }
}

impl<S: Stand> Wrong<S> {
    pub fn new(
        name: &'static str,
        found: Found,
        way: Way<S>,
        setting: &'static str,
        advice: &'static str,
    ) -> Self {
        Self {
            name,
            ways: vec![way],
            found,
            setting,
            advice,
        }
    }

    /// Another way to the same answer.
    pub fn or(mut self, way: Way<S>) -> Self {
        self.ways.push(way);
        self
    }

    /// The messages of all ways.
    async fn messages(&self, http: &Http) -> Vec<String> {
        let mut messages = vec![];
        for way in &self.ways {
            messages.extend(self.by_way(way, http).await);
        }
        messages
    }

    async fn by_way(&self, way: &Way<S>, http: &Http) -> Vec<String> {
        let name = self.name;
        let (_stand, mut connection) = way.make(http).await;
        let saved = desk::check(&mut connection);
        if self.found == Found::Saving {
            let problems = saved.expect_err(name);
            assert_eq!(problems.len(), 1, "{name}: {problems:?}");
            return vec![problems[0].to_string()];
        }
        saved.unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let verified = open(&connection, http).verify().await;
        let handed_over = hand_over(&connection, http).await;
        match self.found {
            Found::Saving => vec![],
            Found::Verifying => vec![
                verified.expect_err(name).to_string(),
                handed_over.expect_err(name),
            ],
            Found::VerifyingOnly(why) => {
                assert_eq!(handed_over, Ok(()), "{name}: a handoff should go on: {why}");
                vec![verified.expect_err(name).to_string()]
            }
            Found::HandingOver(why) => {
                assert!(verified.is_ok(), "{name}: {why}, but {verified:?}");
                vec![handed_over.expect_err(name)]
            }
        }
    }
}

/// Two handoffs of one contact, up to the opening message; what a dead letter of the one that fails would say.
async fn hand_over(connection: &Connection, http: &Http) -> Result<(), String> {
    for session in ["s1", "s2"] {
        let mut walk = Walk::of(open(connection, http), session);
        for act in [Act::Access, Act::Conversation, Act::Opening] {
            if let Err(error) = walk.settle(act).await {
                let helps = error.remedy();
                let unreachable = error.to_string().starts_with("cannot reach");
                assert!(
                    helps == Remedy::Human || unreachable,
                    "{error:?} is retried"
                );
                return Err(error.to_string());
            }
        }
    }
    Ok(())
}

/// What every message of a desk must be; the pairs of setting and advice, by name.
async fn checked<S: Stand>() -> BTreeMap<String, Vec<String>> {
    let http = http();
    let mut all = BTreeMap::new();
    for wrong in S::wrongs() {
        let messages = wrong.messages(&http).await;
        for message in &messages {
            let Wrong {
                name,
                setting,
                advice,
                ..
            } = &wrong;
            assert!(
                message.contains(setting),
                "{name} does not name `{setting}`: {message}"
            );
            assert!(
                message.contains(advice),
                "{name} does not say “{advice}”: {message}"
            );
        }
        let earlier = all.insert(format!("{}: {}", S::KIND, wrong.name), messages);
        assert!(earlier.is_none(), "{} is listed twice", wrong.name);
    }
    all
}

pub async fn each_is_named<S: Stand>() {
    let all = checked::<S>().await;
    assert_distinct(&all);
    // A message that fits two mistakes tells nobody which of them it is.
    let wrongs = S::wrongs();
    for wrong in &wrongs {
        for (name, messages) in &all {
            let fits = messages.iter().any(|it| it.contains(wrong.advice));
            let own = *name == format!("{}: {}", S::KIND, wrong.name);
            assert!(
                own || !fits,
                "the advice “{}” is also that of {name}",
                wrong.advice
            );
        }
    }
}

#[tokio::test]
async fn no_message_of_one_desk_is_one_of_another() {
    let mut all = checked::<SalesforceStand>().await;
    all.extend(checked::<ZendeskStand>().await);
    all.extend(checked::<DynamicsStand>().await);
    assert_distinct(&all);
}

fn assert_distinct(all: &BTreeMap<String, Vec<String>>) {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, messages) in all {
        for message in messages {
            let other = names.insert(message, name).filter(|other| other != name);
            assert_eq!(other, None, "{name} has the same message: {message}");
        }
    }
}
