//! What can go wrong with the broker, each with what to do about it; never with the URL, which holds a password.

use std::time::Duration;

use lapin::protocol::{AMQPErrorKind, AMQPHardError};

use super::topology::Problems;

/// Why the broker cannot be used now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `broker.url` does not parse. The text of the URL is left out because it holds the password.
    #[error(
        "broker.url is not an AMQP URL; write amqp://user:password@host:5672/vhost, with special characters percent-encoded and an IPv6 host by its name"
    )]
    Url,
    /// An `amqps://` URL, but the cargo feature `amqps` is off.
    #[error(
        "this build has no TLS for the broker; build with --features amqps, or use an amqp:// URL on a network you trust"
    )]
    NoTls,
    /// Nobody answers there.
    #[error(
        "cannot reach the broker at {address} ({source}); check that it runs, and host and port of broker.url"
    )]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the socket said.
        source: lapin::Error,
    },
    /// The broker answered, and does not want us.
    #[error(
        "the broker at {address} refuses us ({source}); check user, password and virtual host of broker.url"
    )]
    Refused {
        /// Host and port.
        address: String,
        /// What the broker said.
        source: lapin::Error,
    },
    /// Exchanges or queues are missing, or are not as we need them.
    #[error(transparent)]
    Topology(#[from] Problems),
    /// An AMQP call was not answered in time.
    #[error(
        "the broker did not answer \"{call}\" within {} s; if this repeats, look at its load and its log",
        patience.as_secs()
    )]
    Silent {
        /// What we were doing.
        call: &'static str,
        /// How long we waited.
        patience: Duration,
    },
    /// The broker, or the way to it, ended a call.
    #[error("\"{call}\" failed ({source}); if this repeats, look at the log of the broker")]
    Call {
        /// What we were doing.
        call: &'static str,
        /// What the broker or the socket said.
        source: lapin::Error,
    },
    /// The broker sent something that lapin cannot read.
    #[error(
        "the broker sent a message with a name or property that is not UTF-8, which we cannot read ({source}); its delivery limit makes it a dead letter, to be removed with RabbitMQ's own tools"
    )]
    Unreadable {
        /// What lapin said.
        source: lapin::Error,
    },
    /// The broker ended a subscription: the queue was deleted, or moved.
    #[error("the broker ended the subscription to {queue}; check that the queue still exists")]
    Unsubscribed {
        /// The queue.
        queue: String,
    },
    /// Publishing got no confirm in time, or its channel was closed.
    #[error("the channel for publishing is broken; if this repeats, look at the log of the broker")]
    Lane,
    /// A task of ours ended by a panic.
    #[error("the reader of a queue ended by a panic; please report this with the log around it")]
    Panicked,
}

impl Error {
    /// What lapin's error means in the midst of a call.
    pub(super) fn call(call: &'static str, source: lapin::Error) -> Self {
        match source.kind() {
            lapin::ErrorKind::ParsingError(_) => Error::Unreadable { source },
            _ => Error::Call { call, source },
        }
    }

    /// What of `broker.url` the broker does not want, where it says so.
    pub fn refused(&self) -> Option<Refused> {
        let Error::Refused { source, .. } = self else {
            return None;
        };
        let lapin::ErrorKind::ProtocolError(reason) = source.kind() else {
            return None;
        };
        let words = reason.get_message().to_string();
        Some(match reason.kind() {
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) if words.contains("not found") => {
                Refused::NoVirtualHost
            }
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Refused::VirtualHost,
            _ => Refused::Login,
        })
    }

    /// Whether only a person can heal it: waiting and trying again will not.
    pub fn is_mistake(&self) -> bool {
        match self {
            Error::Url | Error::NoTls | Error::Refused { .. } | Error::Topology(_) => true,
            Error::Unreachable { .. }
            | Error::Silent { .. }
            | Error::Call { .. }
            | Error::Unreadable { .. }
            | Error::Unsubscribed { .. }
            | Error::Lane
            | Error::Panicked => false,
        }
    }
}

/// What of `broker.url` a broker does not want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// User or password.
    Login,
    /// There is no such virtual host.
    NoVirtualHost,
    /// The user may not use the virtual host.
    VirtualHost,
}

/// Why one message does not count as published.
///
/// After every one of these but [`PublishError::Unsendable`] the same message, with the same `message_id`, may be
/// published again: at worst the broker then holds it twice, and its consumer drops the second.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// It was mandatory, and no queue is bound for it.
    #[error("no queue takes it; bind a queue to its exchange and routing key")]
    Unroutable,
    /// The broker took it and refused to keep it, for example because the queue is full.
    #[error("the broker refused it; check whether the queue is full, then publish it again")]
    Nacked,
    /// Neither confirmed nor refused in time: it may or may not be in the queue.
    #[error("the broker did not confirm it in time; publish it again under the same message id")]
    TimedOut,
    /// There was no connection, or it ended before the confirm: it may or may not be in the queue.
    #[error("the broker is away; publish it again under the same message id")]
    Disconnected,
    /// The broker takes no messages from anybody now (memory or disk alarm); nothing was sent.
    #[error("the broker takes no messages now; free its memory or disk, then publish it again")]
    Blocked,
    /// AMQP cannot carry it: this will never work.
    #[error("{field} is longer than the 255 bytes that AMQP allows; shorten it")]
    Unsendable {
        /// Which of its fields.
        field: &'static str,
    },
}
