//! Which dead letters are meant.

use axum::http::Method;
use clap::Args;
use serde_json::Value;

use crate::cli::Failure;
use crate::cli::door::{Door, path};

/// Which dead letters are meant: those that match all of what is given.
#[derive(Debug, Args)]
pub struct Which {
    /// Only those of this connection.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Only those of this kind of desk.
    #[arg(long)]
    desk: Option<String>,
    /// Only those that stopped at this step, such as opening-message.
    #[arg(long)]
    step: Option<String>,
    /// Only those of this class: transient, permanent or poison.
    #[arg(long)]
    class: Option<String>,
    /// Only those with this code, such as desk-refused.
    #[arg(long)]
    code: Option<String>,
    /// Only those of this cause, as `--group` shows it.
    #[arg(long)]
    cause: Option<String>,
    /// Only those of this session.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only those with these words in reason, session or connection.
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// Only those set aside at least so long ago, as in 2h.
    #[arg(long, value_name = "AGE")]
    older: Option<String>,
    /// Only those set aside at most so long ago, as in 7d.
    #[arg(long, value_name = "AGE")]
    newer: Option<String>,
    /// Only those of this state: open, replayed or discarded; open if nothing is said.
    #[arg(long)]
    state: Option<String>,
}

impl Which {
    /// What was given, in the words of the API.
    pub fn words(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("connection", &self.connection),
            ("desk", &self.desk),
            ("step", &self.step),
            ("class", &self.class),
            ("code", &self.code),
            ("cause", &self.cause),
            ("session", &self.session),
            ("text", &self.text),
            ("older", &self.older),
            ("newer", &self.newer),
            ("state", &self.state),
        ];
        all.into_iter()
            .filter_map(|(word, value)| Some((word, value.as_deref()?)))
    }

    /// Those that match, the newest first.
    pub async fn find(
        &self,
        door: &Door,
        limit: usize,
        before: Option<i64>,
    ) -> Result<Value, Failure> {
        let mut path = path(&["dead-letters"]);
        path.query_pairs_mut()
            .append_pair("limit", &limit.to_string())
            .extend_pairs(before.map(|before| ("before", before.to_string())))
            .extend_pairs(self.words());
        door.ask(Method::GET, path, None).await
    }

    /// Those that match, counted by what they have in common.
    pub async fn groups(&self, door: &Door, by: &str) -> Result<Value, Failure> {
        let mut path = path(&["dead-letter-groups"]);
        path.query_pairs_mut()
            .append_pair("by", by)
            .extend_pairs(self.words());
        door.ask(Method::GET, path, None).await
    }
}
