//! What a file is, by its bytes. What they are not known to be is not passed on.
//!
//! The list is of kinds that people send each other in a chat, rather than of all there are: so it needs no list of
//! dangerous ones, and those that are named here are named to say why they are refused.

use std::fmt;

/// What a file is for. Kinds of one family are mixed up by honest senders, kinds of two are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// To look at.
    Picture,
    /// To listen to or watch.
    Recording,
    /// To read.
    Document,
}

/// Why a file is not passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It can be run.
    #[error("it is a program")]
    Program,
    /// It is HTML, SVG or another XML, all of which can carry scripts.
    #[error("it is a web page or other markup")]
    Markup,
    /// It begins like nothing that is known here.
    #[error("it is of no known kind")]
    Unknown,
    /// It is one thing and is called another.
    #[error("it is called a {declared} and is a {found}")]
    Mislabeled {
        /// What its label says.
        declared: Family,
        /// What its bytes say.
        found: Family,
    },
    /// It was to be JSON.
    #[error("it is not JSON")]
    NotJson,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Picture => "picture",
            Self::Recording => "recording",
            Self::Document => "document",
        })
    }
}

/// How files begin, and from which byte on.
const SIGNATURES: [(usize, &[u8], &str); 29] = [
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP8", "image/webp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"BM", "image/bmp"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", ZIP),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (4, b"ftyp", ISO),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (8, b"AVI LIST", "video/x-msvideo"),
    (8, b"WAVEfmt ", "audio/wav"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"caff", "audio/x-caf"),
    (0, b"#!AMR-WB\n", "audio/amr-wb"),
    (0, b"#!AMR\n", "audio/amr"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xfa", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
];

/// A zip, until its entries tell that it is more.
const ZIP: &str = "application/zip";
/// A container of Microsoft's, until its entries tell of what.
const OLE: &str = "application/x-ole-storage";
/// An ISO media file, until its brand tells of what.
const ISO: &str = "video/mp4";
/// Text of any sort.
const TEXT: &str = "text/plain";

/// How programs begin: Windows, Linux, macOS (alone and in several), Java, WebAssembly, Android, Windows' shortcuts.
const PROGRAMS: [&[u8]; 10] = [
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\0asm",
    b"dex\n",
    b"L\0\0\0\x01\x14\x02\0",
];

/// Brands of ISO media that are not [`ISO`] itself.
const BRANDS: [(&[u8], &str); 11] = [
    (b"heic", "image/heic"),
    (b"heix", "image/heic"),
    (b"hevc", "image/heic"),
    (b"mif1", "image/heif"),
    (b"msf1", "image/heif"),
    (b"avif", "image/avif"),
    (b"M4A ", "audio/mp4"),
    (b"M4B ", "audio/mp4"),
    (b"3gp", "video/3gpp"),
    (b"3g2", "video/3gpp2"),
    (b"qt  ", "video/quicktime"),
];

/// What a zip holds that is more than a zip.
const ZIP_ENTRIES: [(&[u8], &str); 3] = [
    (
        b"word/document.xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    (
        b"xl/workbook.xml",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    (
        b"ppt/presentation.xml",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
];

/// What a zip holds that can be run, on Java and on Android.
const ZIP_PROGRAMS: [&[u8]; 2] = [b"META-INF/MANIFEST.MF", b"AndroidManifest.xml"];

/// What a container of Microsoft's holds. One with none of them may well be an installer.
const OLE_ENTRIES: [(&str, &str); 5] = [
    ("WordDocument", "application/msword"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("__nameid_version1.0", "application/vnd.ms-outlook"),
];

/// What the bytes cannot tell apart, and the label may.
const FINER: [(&str, &[&str]); 8] = [
    (
        TEXT,
        &[
            "text/csv",
            "text/tab-separated-values",
            "text/markdown",
            "text/calendar",
            "text/vcard",
            "application/json",
        ],
    ),
    (
        ZIP,
        &[
            "application/vnd.oasis.opendocument.text",
            "application/vnd.oasis.opendocument.spreadsheet",
            "application/vnd.oasis.opendocument.presentation",
        ],
    ),
    ("image/heif", &["image/heic"]),
    (ISO, &["audio/mp4", "audio/m4a", "audio/x-m4a"]),
    ("video/3gpp", &["audio/3gpp"]),
    ("video/3gpp2", &["audio/3gpp2"]),
    ("video/webm", &["audio/webm", "video/x-matroska"]),
    ("audio/ogg", &["video/ogg", "audio/opus"]),
];

/// The MIME type of a file. The bytes decide; the label adds what they cannot tell, and must not contradict them.
pub fn of(bytes: &[u8], declared: Option<&str>) -> Result<&'static str, Unfit> {
    let found = sniff(bytes)?;
    let declared = declared.unwrap_or_default();
    let declared = declared.split(';').next().unwrap_or_default().trim();
    let declared = declared.to_ascii_lowercase();
    let finer = FINER
        .iter()
        .filter(|(coarse, _)| *coarse == found)
        .flat_map(|(_, finer)| finer.iter())
        .find(|finer| **finer == declared);
    if let Some(finer) = finer {
        return Ok(finer);
    }
    match (family(&declared), family(found)) {
        (Some(declared), Some(found)) if declared != found => {
            Err(Unfit::Mislabeled { declared, found })
        }
        _ => Ok(found),
    }
}

/// The family of a MIME type; none for those that claim nothing, such as `application/octet-stream`.
fn family(content_type: &str) -> Option<Family> {
    const DOCUMENTS: [&str; 7] = ["pdf", "rtf", "zip", "json", "msword", "vnd.", "x-zip"];
    match content_type.split_once('/')? {
        ("image", _) => Some(Family::Picture),
        ("audio" | "video", _) => Some(Family::Recording),
        ("text", _) => Some(Family::Document),
        ("application", kind) if DOCUMENTS.iter().any(|it| kind.starts_with(it)) => {
            Some(Family::Document)
        }
        _ => None,
    }
}

fn sniff(bytes: &[u8]) -> Result<&'static str, Unfit> {
    let text = is_text(bytes);
    if text && is_markup(bytes) {
        return Err(Unfit::Markup);
    }
    if text && bytes.starts_with(b"#!") || !text && starts_with_any(bytes, &PROGRAMS) {
        return Err(Unfit::Program);
    }
    let starts = |at: usize, magic| bytes.get(at..).is_some_and(|it| it.starts_with(magic));
    let signature = SIGNATURES
        .iter()
        .find(|(at, magic, _)| starts(*at, magic))
        .map(|(.., found)| *found);
    match signature {
        Some(ZIP) => zip(bytes),
        Some(OLE) => ole(bytes).ok_or(Unfit::Unknown),
        Some(ISO) => Ok(iso(bytes)),
        // PDF and RTF may be all letters; a text that begins like anything else is a text about it.
        Some(found) if !text || family(found) == Some(Family::Document) => Ok(found),
        _ if text => Ok(TEXT),
        _ => Err(Unfit::Unknown),
    }
}

/// Text has no control characters but these few; programs and all other files have, and soon. Text that is not UTF-8
/// is in one of the older code pages, in which spreadsheets still write.
fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| byte.is_ascii_control() && !b"\t\n\r\x0c".contains(byte);
    !bytes.iter().any(control)
}

/// Whether a text begins with a tag, a declaration or a comment.
fn is_markup(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    match text.trim_ascii_start() {
        [b'<', next, ..] => next.is_ascii_alphabetic() || b"!?".contains(next),
        _ => false,
    }
}

/// A zip lists its entries at its end.
fn zip(bytes: &[u8]) -> Result<&'static str, Unfit> {
    const LIST_BYTES: usize = 64 * 1024;
    let list = &bytes[bytes.len().saturating_sub(LIST_BYTES)..];
    let lists = |name: &[u8]| list.windows(name.len()).any(|window| window == name);
    if ZIP_PROGRAMS.iter().any(|name| lists(name)) {
        return Err(Unfit::Program);
    }
    let found = ZIP_ENTRIES.iter().find(|(name, _)| lists(name));
    Ok(found.map_or(ZIP, |(_, found)| found))
}

/// The header of a container says in which sector its list of entries begins; each takes 128 bytes, its name first.
fn ole(bytes: &[u8]) -> Option<&'static str> {
    const ENTRY_BYTES: usize = 128;
    const ENTRIES_MAX: usize = 64;
    let number = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let shift = number(30)? & 0xf;
    let start = (u64::from(number(48)?) + 1) << shift;
    let list = bytes.get(usize::try_from(start).ok()?..)?;
    let found = list
        .chunks_exact(ENTRY_BYTES)
        .take(ENTRIES_MAX)
        .find_map(|entry| {
            let named = |name: &str| {
                let utf16 = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
                entry.iter().copied().take(2 * name.len() + 2).eq(utf16)
            };
            OLE_ENTRIES.iter().find(|(name, _)| named(name))
        });
    found.map(|(_, found)| *found)
}

fn iso(bytes: &[u8]) -> &'static str {
    let brand = BRANDS
        .iter()
        .find(|(brand, _)| bytes[8..].starts_with(brand));
    brand.map_or(ISO, |(_, found)| found)
}

fn starts_with_any(bytes: &[u8], magics: &[&[u8]]) -> bool {
    magics.iter().any(|magic| bytes.starts_with(magic))
}
