//! What files are taken for.

use baton::engine::media::kind::{self, Family, Unfit};

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/// A zip as far as its beginning and its list of entries.
fn zip(entry: &str) -> Vec<u8> {
    format!("PK\x03\x04\x14\0\x06\0…PK\x01\x02…{entry}…PK\x05\x06").into_bytes()
}

/// A container of Microsoft's with one entry.
fn ole(entry: &str) -> Vec<u8> {
    let mut bytes = vec![0; 2048];
    bytes[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    bytes[30] = 9; // sectors of 512 bytes
    bytes[48] = 1; // the list is in the second after the header
    for (at, unit) in entry.encode_utf16().enumerate() {
        let at = 1024 + 128 + 2 * at;
        bytes[at..at + 2].copy_from_slice(&unit.to_le_bytes());
    }
    bytes
}

#[test]
fn every_kind_that_people_send_is_known_by_its_bytes() {
    let kinds: [(&[u8], &str); 31] = [
        (super::PNG, "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"GIF89a\x01\0\x01\0", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (b"II*\0\x08\0\0\0", "image/tiff"),
        (b"MM\0*\0\0\0\x08", "image/tiff"),
        (b"BM\x46\0\0\0\0\0", "image/bmp"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "image/heif"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "image/avif"),
        (b"ID3\x04\0\0\0\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x64\0\0", "audio/mpeg"),
        (b"\xff\xf1\x50\x80\0", "audio/aac"),
        (b"OggS\0\x02\0\0", "audio/ogg"),
        (b"#!AMR\n\x04\0", "audio/amr"),
        (b"#!AMR-WB\n\x04\0", "audio/amr-wb"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0", "audio/mp4"),
        (b"\0\0\0\x18ftypisom\0\0\x02\0", "video/mp4"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "video/mp4"),
        (b"\0\0\0\x18ftyp3gp5\0\0\0\0", "video/3gpp"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3\x01\0\0\0", "video/webm"),
        (b"%PDF-1.7\n\xe2\xe3\xcf\xd3\0", "application/pdf"),
        (b"%PDF-1.4 all in letters", "application/pdf"),
        (b"{\\rtf1\\ansi hello}", "application/rtf"),
        (b"hello\r\n\tworld", "text/plain"),
        ("Grüße aus Köln 🙂".as_bytes(), "text/plain"),
        (b"Gr\xfc\xdfe aus K\xf6ln", "text/plain"),
        (
            b"MZ is how programs begin, and GIF89a pictures",
            "text/plain",
        ),
        (b"BM: a note", "text/plain"),
    ];
    for (bytes, found) in kinds {
        assert_eq!(kind::of(bytes, None), Ok(found), "{found}");
    }
}

#[test]
fn containers_are_known_by_what_they_hold() {
    let held = [
        (zip("word/document.xml"), Ok(DOCX)),
        (
            zip("xl/workbook.xml"),
            Ok("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ),
        (
            zip("ppt/presentation.xml"),
            Ok("application/vnd.openxmlformats-officedocument.presentationml.presentation"),
        ),
        (zip("holiday.jpg"), Ok("application/zip")),
        (zip("META-INF/MANIFEST.MF"), Err(Unfit::Program)),
        (zip("AndroidManifest.xml"), Err(Unfit::Program)),
        (ole("WordDocument"), Ok("application/msword")),
        (ole("Workbook"), Ok("application/vnd.ms-excel")),
        (
            ole("PowerPoint Document"),
            Ok("application/vnd.ms-powerpoint"),
        ),
        (ole("WordDocumentary"), Err(Unfit::Unknown)),
        (ole("an installer's"), Err(Unfit::Unknown)),
    ];
    for (bytes, found) in held {
        assert_eq!(kind::of(&bytes, None), found);
    }
}

#[test]
fn programs_and_markup_are_refused_under_every_label() {
    let refused: [(&[u8], Unfit); 12] = [
        (b"MZ\x90\0", Unfit::Program),
        (b"\x7fELF\x02\x01\x01\0", Unfit::Program),
        (b"\xcf\xfa\xed\xfe\x07\0", Unfit::Program),
        (b"\xca\xfe\xba\xbe\0\0\0\x02", Unfit::Program),
        (b"\0asm\x01\0\0\0", Unfit::Program),
        (b"#!/usr/bin/env python3\n", Unfit::Program),
        (b"<html>", Unfit::Markup),
        (b"\xef\xbb\xbf <?xml version='1.0'?><svg/>", Unfit::Markup),
        (b"<!-- --><script>", Unfit::Markup),
        (b"<?php system($_GET['c']);", Unfit::Markup),
        (b"\0\0\0\0", Unfit::Unknown),
        (b"\x1f\x8b\x08\0", Unfit::Unknown),
    ];
    for (bytes, why) in refused {
        for label in [
            None,
            Some("image/png"),
            Some("application/pdf"),
            Some("text/plain"),
        ] {
            assert_eq!(kind::of(bytes, label), Err(why.clone()), "{label:?}");
        }
    }
}

#[test]
fn a_label_adds_what_bytes_cannot_tell_and_nothing_else() {
    let isom = b"\0\0\0\x18ftypisom\0\0\x02\0";
    let labels: [(&[u8], &str, &str); 12] = [
        (b"a;b\n1;2\n", "text/csv", "text/csv"),
        (b"a;b\n1;2\n", "Text/CSV; charset=latin1", "text/csv"),
        (b"a;b\n1;2\n", "application/vnd.ms-excel", "text/plain"),
        (b"a;b\n1;2\n", "text/html", "text/plain"),
        (b"a;b\n1;2\n", "application/octet-stream", "text/plain"),
        (b"a;b\n1;2\n", "nonsense", "text/plain"),
        (super::PNG, "image/jpeg", "image/png"),
        (super::PNG, "binary/octet-stream", "image/png"),
        (isom, "audio/mp4", "audio/mp4"),
        (isom, "audio/x-anything", "video/mp4"),
        (b"OggS\0\x02\0\0", "application/ogg", "audio/ogg"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpg", "image/jpeg"),
    ];
    for (bytes, label, found) in labels {
        assert_eq!(kind::of(bytes, Some(label)), Ok(found), "{label}");
    }
    let wrong = Unfit::Mislabeled {
        declared: Family::Recording,
        found: Family::Picture,
    };
    assert_eq!(kind::of(super::PNG, Some("video/mp4")), Err(wrong.clone()));
    assert_eq!(
        wrong.to_string(),
        "it is called a recording and is a picture"
    );
}

/// Nothing that comes from outside makes the sniffing fall over.
#[test]
fn every_beginning_of_every_file_has_an_answer() {
    for whole in [
        zip("word/document.xml"),
        ole("WordDocument"),
        b"\0\0\0\x18ftyp".to_vec(),
    ] {
        for end in 0..whole.len() {
            let _ = kind::of(&whole[..end], None);
        }
    }
    let mut absurd = ole("WordDocument");
    absurd[30] = 0xff;
    absurd[48..52].fill(0xff);
    assert_eq!(kind::of(&absurd, None), Err(Unfit::Unknown));
}
