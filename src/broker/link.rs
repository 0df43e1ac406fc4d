//! One AMQP connection: how it is dialled, and the timeout that every AMQP call gets.

use std::time::Duration;

use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::ShortString;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;
use tracing::debug;

use super::error::Error;

/// For one AMQP call. Healthy brokers answer in milliseconds; a busy one may sit through a garbage collection.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// For saying goodbye. Nothing depends on the answer.
const FAREWELL: Duration = Duration::from_secs(2);

/// In seconds. RabbitMQ advises 5 to 20; a silent broker is noticed after twice this time.
const HEARTBEAT: u16 = 10;

/// The normal reply code of an orderly close.
const REPLY_SUCCESS: u16 = 200;

/// Awaits an AMQP call, but not for ever: a panic in lapin's own thread leaves its promises unresolved.
pub(super) async fn within<T>(
    call: &'static str,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    match timeout(PATIENCE, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(Error::call(call, source)),
        Err(_) => Err(Error::Silent {
            call,
            patience: PATIENCE,
        }),
    }
}

/// Opens a connection under a name that operators see in `rabbitmqctl list_connections`. Never recovers by itself.
pub(super) async fn dial(url: &SecretString, name: &str) -> Result<Connection, Error> {
    let uri = parse(url)?;
    let address = format!("{}:{}", uri.authority.host, uri.authority.port);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    match timeout(PATIENCE, Connection::connect_uri(uri, properties)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(source)) if refused(&source) => Err(Error::Refused { address, source }),
        Ok(Err(source)) => Err(Error::Unreachable { address, source }),
        Err(_) => Err(Error::Silent {
            call: "connect",
            patience: PATIENCE,
        }),
    }
}

/// Closes a connection as far as it still can be; what goes wrong here is of no consequence.
pub(super) async fn hang_up(connection: &Connection) {
    let farewell = connection.close(REPLY_SUCCESS, ShortString::from("OK"));
    match timeout(FAREWELL, farewell).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "the connection to the broker was closed already"),
        Err(_) => debug!("the broker did not answer the close of a connection"),
    }
}

/// Closes a channel as far as it still can be. What is unacked on it goes back to its queue.
pub(super) async fn close(channel: &Channel) {
    let farewell = channel.close(REPLY_SUCCESS, ShortString::from("OK"));
    if !matches!(timeout(FAREWELL, farewell).await, Ok(Ok(()))) {
        debug!("a channel to the broker was closed already");
    }
}

pub(super) fn parse(url: &SecretString) -> Result<AMQPUri, Error> {
    let text = url.expose_secret();
    // lapin reads any IPv6 address as "localhost".
    if text.contains('[') {
        return Err(Error::Url);
    }
    let mut uri: AMQPUri = text.parse().map_err(|_| Error::Url)?;
    if uri.scheme == AMQPScheme::AMQPS && !cfg!(feature = "amqps") {
        return Err(Error::NoTls);
    }
    // People end the URL with a slash and mean the default virtual host; no virtual host is called "".
    if uri.vhost.is_empty() {
        uri.vhost = "/".to_owned();
    }
    uri.query.heartbeat.get_or_insert(HEARTBEAT);
    uri.query
        .connection_timeout
        .get_or_insert(PATIENCE.as_millis() as u64);
    Ok(uri)
}

fn refused(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return false;
    };
    matches!(
        error.kind(),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
    )
}
