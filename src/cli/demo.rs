//! `baton demo`: plays the demo, for people or for programs.

use std::io;

use clap::Args;

use super::Failure;
use super::simulate::Kind;
use crate::demo;
use crate::demo::narrator::{Form, Narrator};
use crate::domain::seal::SecretString;

/// Where to play it, and for whom.
#[derive(Debug, Args)]
pub struct Demo {
    /// The kind of desk that the customers are handed to.
    #[arg(long, value_enum, default_value = "salesforce")]
    desk: Kind,
    /// The RabbitMQ to use, such as amqp://user:password@host:5672. Without it: the one at localhost:5672 if it takes
    /// guest/guest, else one that is started from the installed package and removed at the end.
    #[arg(long, value_name = "URL")]
    broker: Option<SecretString>,
    /// Print every event as a line of JSON, and the summary as the last.
    #[arg(long)]
    json: bool,
}

/// Plays it.
pub async fn run(Demo { desk, broker, json }: Demo) -> Result<(), Failure> {
    let form = if json { Form::Json } else { Form::of_stdout() };
    let narrator = Narrator::new(Box::new(io::stdout()), form);
    match demo::run(desk.into(), broker, narrator).await {
        Err(error) if demo::is_unread(&error) => Err(Failure::Unread),
        outcome => Ok(outcome?),
    }
}
