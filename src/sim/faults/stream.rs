//! Event streams that go wrong: frames on their way to a listener, and what a disturbance makes of them.

use std::borrow::Cow;
use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};

/// Something that goes wrong with one event stream. Pings are not counted as events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "disturbance", rename_all = "kebab-case")]
pub enum Disturbance {
    /// The connection breaks right after so many events.
    CutAfter {
        /// How many events still arrive whole.
        events: u32,
    },
    /// The connection breaks in the middle of the nth event.
    CutInFrame {
        /// The first is 1.
        event: u32,
    },
    /// The connection breaks inside the first character that takes more than one byte.
    CutInCharacter,
    /// Neither events nor pings arrive after so many events, while the connection stays open.
    Silence {
        /// How many events still arrive.
        events: u32,
    },
    /// Every event arrives so many times.
    Repeat {
        /// 2 is twice.
        times: u32,
    },
    /// The nth event comes after the one behind it.
    Swap {
        /// The first is 1.
        event: u32,
    },
    /// Before each event comes one of a type nobody knows.
    Strangers,
    /// Events come without their `id:` line.
    WithoutIds,
}

/// One frame of an event stream.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Frame {
    id: Option<u64>,
    name: Cow<'static, str>,
    data: Bytes,
}

impl Frame {
    /// An event that moves the listener's cursor.
    pub(in crate::sim) fn event(id: u64, name: String, data: String) -> Self {
        Self {
            id: Some(id),
            name: name.into(),
            data: data.into(),
        }
    }

    /// A keep-alive, which carries no id.
    pub(in crate::sim) fn ping() -> Self {
        Self {
            id: None,
            name: "ping".into(),
            data: Bytes::from_static(b"0"),
        }
    }

    /// The event's id; a ping has none.
    pub(in crate::sim) fn id(&self) -> Option<u64> {
        self.id
    }

    fn is_ping(&self) -> bool {
        self.name == "ping"
    }

    fn bytes(&self) -> Bytes {
        let mut bytes = format!("event: {}\n", self.name).into_bytes();
        if let Some(id) = self.id {
            bytes.extend_from_slice(format!("id: {id}\n").as_bytes());
        }
        bytes.extend_from_slice(b"data: ");
        bytes.extend_from_slice(&self.data);
        bytes.extend_from_slice(b"\n\n");
        bytes.into()
    }
}

/// The frames as bytes on the wire, after the disturbances; the stream fails where the connection is to break.
pub(in crate::sim) fn disturbed(
    frames: impl Stream<Item = Frame> + Send + 'static,
    disturbances: Vec<Disturbance>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let mut disturber = Disturber {
        disturbances,
        events: 0,
        overtaken: None,
    };
    frames
        .flat_map(move |frame| stream::iter(disturber.pass(frame)))
        .then(async |piece| match piece {
            Piece::Bytes(bytes) => Ok(bytes),
            Piece::Break => {
                // The server writes out what it has when it finds nothing more to read, and forgets it when the body fails.
                tokio::task::yield_now().await;
                Err(io::Error::other("cut on purpose"))
            }
        })
}

/// An event of a type that is in no reference; listeners must ignore it (miaw reference §4.2).
const STRANGER: &[u8] = b"event: CONVERSATION_SOMETHING_NEW\ndata: {\"conversationEntry\":{\"entryType\":\"SomethingNew\"}}\n\n";

enum Piece {
    Bytes(Bytes),
    Break,
}

struct Disturber {
    disturbances: Vec<Disturbance>,
    events: u32,
    /// The event that waits for the one behind it.
    overtaken: Option<Bytes>,
}

impl Disturber {
    /// What is sent instead of this frame.
    fn pass(&mut self, mut frame: Frame) -> Vec<Piece> {
        let is_event = !frame.is_ping();
        self.events += u32::from(is_event);
        let mut copies = 1;
        let mut pieces = Vec::new();
        for disturbance in &self.disturbances {
            match *disturbance {
                Disturbance::Silence { events } => {
                    if self.events + u32::from(!is_event) > events {
                        return Vec::new();
                    }
                }
                Disturbance::Repeat { times } if is_event => copies = times,
                Disturbance::Strangers if is_event => {
                    pieces.push(Piece::Bytes(Bytes::from_static(STRANGER)));
                }
                Disturbance::WithoutIds => frame.id = None,
                Disturbance::Swap { event } if is_event && event == self.events => {
                    self.overtaken = Some(frame.bytes());
                    return Vec::new();
                }
                Disturbance::Swap { .. }
                | Disturbance::Repeat { .. }
                | Disturbance::Strangers
                | Disturbance::CutAfter { .. }
                | Disturbance::CutInFrame { .. }
                | Disturbance::CutInCharacter => {}
            }
        }
        let bytes = frame.bytes();
        let cuts = self.disturbances.iter();
        match cuts
            .filter_map(|cut| self.kept(cut, is_event, &bytes))
            .min()
        {
            Some(kept) => pieces.extend([Piece::Bytes(bytes.slice(..kept)), Piece::Break]),
            None => pieces.extend((0..copies).map(|_| Piece::Bytes(bytes.clone()))),
        }
        if is_event {
            pieces.extend(self.overtaken.take().map(Piece::Bytes));
        }
        pieces
    }

    /// How many bytes of a frame are still sent, if this breaks the connection there.
    fn kept(&self, disturbance: &Disturbance, is_event: bool, bytes: &[u8]) -> Option<usize> {
        match *disturbance {
            Disturbance::CutAfter { events } if self.events > events => Some(0),
            Disturbance::CutAfter { events } => (self.events == events).then_some(bytes.len()),
            Disturbance::CutInFrame { event } => {
                (is_event && self.events == event).then_some(bytes.len() / 2)
            }
            Disturbance::CutInCharacter => {
                let character = bytes.iter().position(|byte| !byte.is_ascii());
                character.map(|start| start + 1)
            }
            Disturbance::Silence { .. }
            | Disturbance::Repeat { .. }
            | Disturbance::Swap { .. }
            | Disturbance::Strangers
            | Disturbance::WithoutIds => None,
        }
    }
}
