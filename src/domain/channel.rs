//! Where the contact is, and what each channel's rules make of a reply.

use std::fmt;
use std::time::Duration;

use super::clock::{self, Timestamp};

/// A channel a contact can be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A chat widget on a page.
    Web,
    /// Text messages.
    Sms,
    /// WhatsApp.
    Whatsapp,
    /// A phone call.
    Phone,
}

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 4] = [Self::Web, Self::Sms, Self::Whatsapp, Self::Phone];

    /// The word of events, routing keys and queue names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
            Self::Phone => "phone",
        }
    }

    /// The channel of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.as_str() == word)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a reply can consist of, as far as a setting tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Text,
    /// Words that offer something to choose from.
    Choices,
    /// Files.
    Files,
}

impl Part {
    /// The word of the setting and of events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Choices => "choices",
            Self::Files => "files",
        }
    }
}

/// How a carrier will encode and split a text message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmsShape {
    /// `GSM-7`, or `UCS-2` as soon as one character needs it.
    pub encoding: &'static str,
    /// How many segments the carrier bills; one for an empty text.
    pub segments: usize,
}

/// The characters of GSM 03.38's basic table, which take one septet.
const GSM_BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The characters behind an escape, which take two; an escape pair is not split between segments.
const GSM_EXTENDED: &str = "\u{c}^{}\\[~]|€";

impl SmsShape {
    /// Counts the segments of a text: 160 septets or 70 UTF-16 units in one, 153 or 67 in each of several.
    pub fn of(text: &str) -> Self {
        let septets: Option<Vec<usize>> = text
            .chars()
            .map(|c| match c {
                c if GSM_BASIC.contains(c) => Some(1),
                c if GSM_EXTENDED.contains(c) => Some(2),
                _ => None,
            })
            .collect();
        match septets {
            Some(septets) => Self {
                encoding: "GSM-7",
                segments: segments(&septets, 160, 153),
            },
            None => {
                let units: Vec<usize> = text.chars().map(char::len_utf16).collect();
                Self {
                    encoding: "UCS-2",
                    segments: segments(&units, 70, 67),
                }
            }
        }
    }
}

/// Fills segments with characters of the given widths, none of which is split.
fn segments(widths: &[usize], alone: usize, several: usize) -> usize {
    if widths.iter().sum::<usize>() <= alone {
        return 1;
    }
    let (full, _) = widths.iter().fold((1, 0), |(count, used), width| {
        if used + width > several {
            (count + 1, *width)
        } else {
            (count, used + width)
        }
    });
    full
}

/// How long after a contact's last message WhatsApp takes free-form replies.
pub const WHATSAPP_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether a free-form WhatsApp reply may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WhatsappWindow {
    /// When it closes; at that very moment it is closed.
    pub expires_at: Timestamp,
}

impl WhatsappWindow {
    /// The window that the contact's last message opened.
    pub fn opened_by(last_inbound_at: Timestamp) -> Self {
        Self {
            expires_at: clock::after(last_inbound_at, WHATSAPP_WINDOW),
        }
    }

    /// Whether it is open at `now`.
    pub fn is_open(self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}
