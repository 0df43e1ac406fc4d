//! The W3C trace context of a handoff: by it, what we did is found in the traces of those before and behind us.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use super::ids::Key;

/// The header that names trace, span and flags.
const PARENT: &str = "traceparent";
/// The header in which vendors keep what they need, member by member.
const STATE: &str = "tracestate";
/// What every vendor has to carry of a `tracestate`. We carry no more, because all headers must fit into one AMQP frame.
const STATE_BYTES_MAX: usize = 512;
/// The flag that says that the trace is recorded.
const SAMPLED: u8 = 1;
/// The flags that mean something: recorded, and an id made by chance. Others must not be passed on.
const FLAGS: u8 = 3;

/// Names a trace; never all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

/// Names a span in its trace; never all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub [u8; 8]);

impl SpanId {
    /// The id of the span in which something is published: the same however often that is tried.
    pub fn of(message_id: &str) -> Self {
        let digest = digest(&SHA256, format!("span:{message_id}").as_bytes());
        Self(first(digest.as_ref()))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Where in which trace something happens. It is written as `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span that all else is a child of.
    pub span: SpanId,
    flags: u8,
    state: Option<String>,
}

impl TraceContext {
    /// Reads the two headers as the standard says; none unless the first is right to the letter. Of a newer version than
    /// 00 that is read which 00 has too.
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        let (version, rest) = parent.split_at_checked(2)?;
        let [version] = hex(version)?;
        let (known, more) = rest.split_at_checked(53)?;
        let is_whole = more.is_empty() || (version > 0 && more.starts_with('-'));
        let mut parts = known.strip_prefix('-')?.split('-');
        let (trace, span, [flags]) = (
            hex(parts.next()?)?,
            hex(parts.next()?)?,
            hex(parts.next()?)?,
        );
        let is_right = is_whole && version != 0xff && parts.next().is_none();
        (is_right && trace != [0; 16] && span != [0; 8]).then(|| Self {
            trace: TraceId(trace),
            span: SpanId(span),
            flags: flags & FLAGS,
            state: state.and_then(carried),
        })
    }

    /// The context of a handoff that came without one, from the key of its conversation: the same after a crash, after a
    /// replay, and from a lost database. All else is a child of the handoff's own beginning, which has no parent.
    pub fn own(key: Key) -> Self {
        // Not the key itself: samplers take a part of the trace id for chance, and some of a UUID is fixed.
        let digest = digest(&SHA256, format!("trace:{key}").as_bytes());
        let (trace, rest) = digest.as_ref().split_at(16);
        Self {
            trace: TraceId(first(trace)),
            span: SpanId(first(rest)),
            flags: SAMPLED,
            state: None,
        }
    }

    /// What the headers of a message say.
    pub fn read(headers: &BTreeMap<String, Value>) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(Value::as_str);
        Self::parse(text(PARENT)?, text(STATE))
    }

    /// Sets the headers of a message, and leaves no other context in them.
    pub fn write(&self, headers: &mut BTreeMap<String, Value>) {
        headers.remove(STATE);
        let own = self.headers();
        headers.extend(own.map(|(name, text)| (name.to_owned(), Value::from(text))));
    }

    /// The headers of a message that has no others.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let state = self.state.clone().map(|state| (STATE, state));
        [(PARENT, self.parent())].into_iter().chain(state)
    }

    /// The same place in the trace, one span further down.
    pub fn below(&self, span: SpanId) -> Self {
        Self {
            span,
            ..self.clone()
        }
    }

    /// `traceparent`
    pub fn parent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }

    /// `tracestate`
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The flags that are passed on.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether those before us record this trace, and so shall we.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED == SAMPLED
    }
}

/// As much of a `tracestate` as is carried: whole members, the newest of which come first.
fn carried(state: &str) -> Option<String> {
    let is_plain = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let (mut end, mut at) = (0, 0);
    for member in state.split(',') {
        at += member.len();
        if at > STATE_BYTES_MAX {
            break;
        }
        end = at;
        at += 1;
    }
    let kept = state[..end].trim();
    (is_plain(kept) && !kept.is_empty()).then(|| kept.to_owned())
}

/// Bytes in lower-case hexadecimal, all of them and no more.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |letter: u8| match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect();
    bytes?.try_into().ok()
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut first = [0; N];
    first.copy_from_slice(&bytes[..N]);
    first
}
