//! Notes: how words and files get onto a work item (dynamics reference §3.5).
//!
//! A rep finds them there; they are not messages in the rep's chat.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tracing::warn;

use super::Dynamics;
use super::calls::Created;
use super::refusals::{is_out_of_reach, privilege};
use super::schema::Part;
use super::transcript;
use crate::desk::http::Answer;
use crate::desk::{File, FileRules};
use crate::domain::error::DeskError;
use crate::domain::escalation::{Escalation, Transcript};
use crate::domain::handoff::AccessToken;
use crate::domain::ids::{ConversationId, IdShape, Key, Namespace};
use crate::domain::transcript::{OpeningMessage, pieces_of};

/// What an environment takes unless its administrator allows more (dynamics reference §3.5). It blocks by the ending of
/// the file's name, which is no matter of types; these are those that contacts send.
pub const FILES: FileRules = FileRules {
    bytes_max: 5 * 1024 * 1024,
    types: &[
        "image/*",
        "audio/*",
        "video/*",
        "application/pdf",
        "text/plain",
        "text/csv",
        "text/vcard",
        "application/msword",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ],
};

/// The table of notes, which every environment has.
const NOTES: &str = "annotations";
/// How the product names the file of a transcript (dynamics reference §6).
const TRANSCRIPT_FILE: &str = "Messages_file.txt";
/// Headings of notes.
const OPENING_SUBJECT: &str = "Conversation with the AI";
const MESSAGE_SUBJECT: &str = "Message from the contact";
const FILE_SUBJECT: &str = "File from the contact";

impl Dynamics {
    /// What the rep reads first.
    pub(super) async fn note_opening(
        &self,
        access: &AccessToken,
        on: &ConversationId,
        id: Key,
        opening: &OpeningMessage,
    ) -> Result<(), DeskError> {
        let body = self.note(on, OPENING_SUBJECT, &opening.text);
        match self.create(access, NOTES, id, &body).await? {
            Created::Done => Ok(()),
            Created::Refused(answer) if is_out_of_reach(&answer) => {
                self.warn_of(&answer, "the rep sees the summary and not the conversation");
                Ok(())
            }
            Created::Refused(answer) => Err(self.refused(&answer, &body)),
        }
    }

    /// The conversation where the product keeps its own: a transcript with a file. The product writes it when a
    /// conversation closes, so the pane of an open one may not show it; the note does (dynamics reference §3.5).
    pub(super) async fn keep_transcript(
        &self,
        access: &AccessToken,
        of: &ConversationId,
        opening: Key,
        about: &Escalation,
    ) -> Result<(), DeskError> {
        let set = self.name(Part::Transcripts);
        let turns = match &about.transcript {
            Transcript::Turns(turns) if !turns.is_empty() && !set.is_empty() => turns,
            Transcript::Turns(_) | Transcript::Link(_) => return Ok(()),
        };
        let ids = Namespace::of(opening);
        let transcript = ids.key(&["transcript"], IdShape::V4);
        let file = ids.key(&["transcript-file"], IdShape::V4);
        let name = format!("{} transcript", transcript::channel_name(about.channel));
        let mut body = json!({});
        self.fill(&mut body, Part::TranscriptName, name.as_str());
        self.bind(
            &mut body,
            Part::TranscriptWorkItem,
            self.name(Part::WorkItems),
            of.as_str(),
        );
        let document = transcript::document(about, turns, &name, file);
        let mut note = json!({
            "subject": name,
            "isdocument": true,
            "filename": TRANSCRIPT_FILE,
            "mimetype": "text/plain",
            "documentbody": STANDARD.encode(document),
        });
        self.bind(
            &mut note,
            Part::NoteTranscript,
            set,
            &transcript.to_string(),
        );
        for (set, id, body) in [(set, transcript, body), (NOTES, file, note)] {
            match self.create(access, set, id, &body).await? {
                Created::Done => {}
                Created::Refused(answer) if is_out_of_reach(&answer) => {
                    self.warn_of(&answer, "no transcript is kept beside the work item");
                    return Ok(());
                }
                Created::Refused(answer) => return Err(self.refused(&answer, &body)),
            }
        }
        Ok(())
    }

    /// What the contact wrote, in as many notes as it needs, each under an id of its own.
    pub(super) async fn note_message(
        &self,
        access: &AccessToken,
        on: &ConversationId,
        id: Key,
        text: &str,
    ) -> Result<(), DeskError> {
        let pieces = pieces_of(text, self.settings.opening_chars_max);
        for (number, piece) in pieces.iter().enumerate() {
            let id = match number {
                0 => id,
                more => Namespace::of(id).key(&["part", &more.to_string()], IdShape::V4),
            };
            let body = self.note(on, MESSAGE_SUBJECT, piece);
            if let Created::Refused(answer) = self.create(access, NOTES, id, &body).await? {
                return Err(self.refused(&answer, &body));
            }
        }
        Ok(())
    }

    /// A file of the contact.
    pub(super) async fn note_file(
        &self,
        access: &AccessToken,
        on: &ConversationId,
        id: Key,
        file: &File,
    ) -> Result<(), DeskError> {
        let mut body = self.note(on, FILE_SUBJECT, "");
        body["isdocument"] = true.into();
        body["filename"] = file.name.as_str().into();
        body["mimetype"] = file.content_type.as_str().into();
        body["documentbody"] = STANDARD.encode(&file.bytes).into();
        match self.create(access, NOTES, id, &body).await? {
            Created::Done => Ok(()),
            Created::Refused(answer) => Err(self.refused(&answer, &body)),
        }
    }

    /// A note on a work item.
    fn note(&self, on: &ConversationId, subject: &str, text: &str) -> Value {
        let mut body = json!({ "subject": subject, "notetext": printable(text) });
        self.bind(
            &mut body,
            Part::NoteWorkItem,
            self.name(Part::WorkItems),
            on.as_str(),
        );
        body
    }

    /// A missing right to make notes is commonly forgotten, and no reason to keep a contact waiting
    /// (dynamics reference §3.6).
    fn warn_of(&self, answer: &Answer, consequence: &str) {
        let (connection, status) = (&self.settings.connection, answer.status.as_u16());
        let right = privilege(answer).unwrap_or_else(|| "to create notes and transcripts".into());
        warn!(%connection, status, "{consequence}: the application user of connection `{connection}` lacks the right {right}; give it a security role that has it");
    }
}

/// Without control characters other than line breaks and tabs: they are held to be refused (dynamics reference §7).
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}
