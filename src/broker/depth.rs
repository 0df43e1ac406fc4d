//! How much lies in each queue, as the broker counts it: for operators who look.

use lapin::ErrorKind;
use lapin::options::QueueDeclareOptions;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use secrecy::SecretString;

use super::error::Error;
use super::link::{close, dial, hang_up, within};
use super::topology::{Names, REPLY_CHANNELS};

/// One queue of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Its name.
    pub queue: String,
    /// What lies in it; `None` if there is no such queue.
    pub held: Option<Held>,
}

/// What lies in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Messages that no consumer has been given yet.
    pub ready: u32,
    /// Who takes from it.
    pub consumers: u32,
}

/// Looks at all queues under a prefix, over a connection of its own.
pub async fn depths(url: &SecretString, prefix: &str) -> Result<Vec<Depth>, Error> {
    let names = Names::new(prefix);
    let mut queues = vec![names.escalations(), names.contact_events()];
    queues.extend(REPLY_CHANNELS.map(|channel| names.replies(channel)));
    queues.push(names.dead_letters());
    let connection = dial(url, "baton: look at the queues").await?;
    let looked = async {
        let mut depths = vec![];
        for queue in queues {
            // A queue that is not there ends the channel it was asked for on.
            let channel = within("open a channel", connection.create_channel()).await?;
            let options = QueueDeclareOptions {
                passive: true,
                ..Default::default()
            };
            let asked =
                channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
            let held = match within("look at a queue", asked).await {
                Ok(found) => {
                    close(&channel).await;
                    Some(Held {
                        ready: found.message_count(),
                        consumers: found.consumer_count(),
                    })
                }
                Err(Error::Call { source, .. }) if is_missing(&source) => None,
                Err(error) => return Err(error),
            };
            depths.push(Depth { queue, held });
        }
        Ok(depths)
    };
    let outcome = looked.await;
    hang_up(&connection).await;
    outcome
}

fn is_missing(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return false;
    };
    matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
}
