//! Files: the contact's are uploaded, then posted as a message of their own; the rep's open with our keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::HeaderValue;
use reqwest::multipart::{Form, Part};
use serde_json::json;

use super::Zendesk;
use super::calls::text_at;
use super::history::Reach;
use super::messages::mark;
use super::settings::Settings;
use crate::desk::{File, FileRules};
use crate::domain::error::DeskError;
use crate::domain::handoff::{AccessToken, Effect};
use crate::domain::ids::ConversationId;
use crate::domain::seal::ExposeSecret;

/// 50 MB (sunshine reference §1.7), and the types behind the extensions that Zendesk takes (§2.5).
pub const RULES: FileRules = FileRules {
    bytes_max: 50 * 1024 * 1024,
    types: &[
        "image/*",
        "audio/*",
        "video/*",
        "application/pdf",
        "text/plain",
        "text/csv",
        "text/vcard",
        "text/xml",
        "application/xml",
        "application/zip",
        "application/msword",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.ms-powerpoint",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
        "application/vnd.oasis.opendocument.text",
    ],
};

/// A file whose name ends in nothing of this is refused, whatever is in it (sunshine reference §2.5).
const EXTENSIONS: &str = "3g2 3gp 7z aac amr avi bmp csv doc docx eml gif heic heif ics jfif jpeg jpg key log m4a m4v mov \
                          mp3 mp4 mp4a mpeg mpg mpga neon numbers odt oga ogg ogv opus pages pdf png pps ppsx ppt pptx qt \
                          svg tif tiff txt vcf wav webm webp wmv xls xlsx xml yaml yml zip";

/// Types whose extension is not what follows the slash.
const EXTENSIONS_OF: [(&str, &str); 21] = [
    ("image/svg+xml", "svg"),
    ("image/x-ms-bmp", "bmp"),
    ("audio/mpeg", "mp3"),
    ("audio/mp4", "m4a"),
    ("audio/x-m4a", "m4a"),
    ("audio/x-wav", "wav"),
    ("video/quicktime", "mov"),
    ("video/3gpp", "3gp"),
    ("video/3gpp2", "3g2"),
    ("video/x-msvideo", "avi"),
    ("video/x-ms-wmv", "wmv"),
    ("text/plain", "txt"),
    ("text/vcard", "vcf"),
    ("application/msword", "doc"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.ms-powerpoint", "ppt"),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "pptx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
        "ppsx",
    ),
    ("application/vnd.oasis.opendocument.text", "odt"),
];

/// What a caption may be long (sunshine reference §1.7).
const CAPTION_CHARS_MAX: usize = 128;

impl Zendesk {
    /// Accounts keep the files of their reps private, and which credential opens them is not known (§2.5): the key of
    /// the app is tried, then the token of Support. The account's own hosts have seen both; nobody else is shown them.
    pub(super) fn keys_to(&self, file: &Url) -> Vec<HeaderValue> {
        let Settings {
            app,
            home,
            authorization,
            support,
            ..
        } = &self.settings;
        if ![app, home]
            .iter()
            .any(|ours| ours.origin() == file.origin())
        {
            return vec![];
        }
        let of_support = support.as_ref().and_then(|support| {
            let token = support.token.expose_secret();
            let shown = STANDARD.encode(format!("{}/token:{token}", support.email));
            let mut shown = HeaderValue::try_from(format!("Basic {shown}")).ok()?;
            shown.set_sensitive(true);
            Some(shown)
        });
        let all = [Some(authorization.clone()), of_support];
        all.into_iter().flatten().collect()
    }

    /// Checkable: a message whose mark is there is not sent again. An upload that no message names is nobody's (§2.8).
    pub(super) async fn hand_over(
        &self,
        access: &AccessToken,
        to: &ConversationId,
        effect: Effect,
        file: &File,
    ) -> Result<(), DeskError> {
        let mark = mark(effect.key, 0);
        if self
            .sent(to, effect, Reach::LastPage)
            .await?
            .contains_key(&mark)
        {
            return Ok(());
        }
        let name = name_of(file);
        let url = self.upload(to, file, &name).await?;
        let kind = if file.content_type.starts_with("image/") {
            "image"
        } else {
            "file"
        };
        let caption: String = name.chars().take(CAPTION_CHARS_MAX).collect();
        let content = json!({ "type": kind, "mediaUrl": url, "altText": caption });
        self.post_as_contact(access, to, &content, &mark).await
    }

    /// For a message of this conversation: in another Zendesk would refuse it (§2.5). Its address.
    async fn upload(
        &self,
        to: &ConversationId,
        file: &File,
        name: &str,
    ) -> Result<String, DeskError> {
        let bytes = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
        let part = Part::stream_with_length(file.bytes.clone(), bytes)
            .file_name(name.to_owned())
            .mime_str(&file.content_type)
            .map_err(|error| DeskError::Refused {
                status: 415,
                message: format!("the file cannot be sent as what it is: {error}"),
            })?;
        let request = self
            .http
            .calls
            .post(self.api(&["attachments"]))
            .query(&[
                ("access", "public"),
                ("for", "message"),
                ("conversationId", to.as_str()),
            ])
            .multipart(Form::new().part("source", part));
        let answer = self.call(request).await?;
        match answer.status.as_u16() {
            413 => Err(self.refused(&answer, "the file is too large for Zendesk")),
            415 => Err(self.refused(&answer, "Zendesk does not take files of this type")),
            _ => text_at(&self.accepted(answer)?, "/attachment/mediaUrl"),
        }
    }
}

/// The file's name with an extension that Zendesk knows, as far as its type has one.
fn name_of(file: &File) -> String {
    let is_known = |extension: &str| {
        EXTENSIONS
            .split_whitespace()
            .any(|known| known == extension)
    };
    let given = file
        .name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    if given.as_deref().is_some_and(is_known) {
        return file.name.clone();
    }
    let kind = file
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let listed = EXTENSIONS_OF.iter().find(|(known, _)| *known == kind);
    let subtype = kind.split_once('/').map_or("", |(_, subtype)| subtype);
    match listed.map_or(subtype, |(_, extension)| extension) {
        extension if is_known(extension) => format!("{}.{extension}", file.name),
        _ => file.name.clone(),
    }
}
