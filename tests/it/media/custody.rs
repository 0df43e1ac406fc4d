//! Our copies: one per file, still there tomorrow, and gone when they are to be gone.

use std::path::{Path, PathBuf};

use baton::domain::ids::HandoffId;
use baton::engine::media::{Attachment, Custody, Kept, Place};
use bytes::Bytes;
use futures_util::TryStreamExt;

fn open(folder: &Path) -> Custody {
    Custody::open(&Place::Folder(folder.join("files"))).expect("a folder")
}

async fn content(custody: &Custody, attachment: Attachment) -> Option<Vec<u8>> {
    let stored = custody.read(attachment).await.expect("an answer")?;
    let pieces: Vec<Bytes> = stored.bytes.try_collect().await.expect("the bytes");
    let content = pieces.concat();
    assert_eq!(stored.size, content.len() as u64);
    Some(content)
}

/// All files below, without the folder's name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).expect("below").to_owned());
            }
        }
    }
    files
}

#[tokio::test]
async fn a_file_is_kept_once_however_often_and_outlives_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let custody = open(folder.path());
    let attachment = Attachment::of(HandoffId::new(), "m1", "a1");
    assert_eq!(content(&custody, attachment).await, None);

    let bytes = Bytes::from_static(b"abc");
    let first = custody.keep(attachment, bytes.clone()).await.expect("kept");
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(
        first,
        Kept {
            size: 3,
            sha256: abc.into()
        }
    );
    let again = custody.keep(attachment, bytes).await.expect("kept");
    assert_eq!(first, again);
    let name = PathBuf::from(format!("files/{attachment}"));
    assert_eq!(files(folder.path()), [name]);

    drop(custody);
    let reopened = open(folder.path());
    assert_eq!(
        content(&reopened, attachment).await.as_deref(),
        Some(&b"abc"[..])
    );
}

#[tokio::test]
async fn erasing_a_handoff_leaves_nothing_of_it_and_all_of_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let custody = open(folder.path());
    let (leaving, staying) = (HandoffId::new(), HandoffId::new());
    for handoff in [leaving, staying] {
        for file in ["a1", "a2"] {
            let attachment = Attachment::of(handoff, "m1", file);
            let bytes = Bytes::from_static(b"abc");
            custody.keep(attachment, bytes).await.expect("kept");
        }
    }
    // As a crash in the middle of a copy leaves it.
    let part = format!("files/{}#1", Attachment::of(leaving, "m1", "a3"));
    std::fs::write(folder.path().join(part), "ab").expect("a file");

    for _ in 0..2 {
        custody.erase(leaving).await.expect("erased");
        let left = files(folder.path());
        assert_eq!(left.len(), 2, "{left:?}");
        let stays = format!("files/{staying}");
        assert!(left.iter().all(|it| it.starts_with(&stays)), "{left:?}");
    }
    assert_eq!(
        content(&custody, Attachment::of(leaving, "m1", "a1")).await,
        None
    );
    custody
        .erase(HandoffId::new())
        .await
        .expect("nothing to erase");
}

#[tokio::test]
async fn no_id_of_a_file_leads_out_of_its_handoff() {
    let folder = tempfile::tempdir().expect("a folder");
    let custody = open(folder.path());
    let handoff = HandoffId::new();
    let long = "x".repeat(10_000);
    let ids = [
        "../../etc/passwd",
        "..",
        ".",
        "",
        "/",
        "\\..\\x",
        "a\0b",
        "%2e%2e",
        "A",
        "a",
        &long,
    ];
    for id in ids {
        let attachment = Attachment::of(handoff, "m1", id);
        let bytes = Bytes::copy_from_slice(id.as_bytes());
        custody.keep(attachment, bytes).await.expect("kept");
        let kept = content(&custody, attachment).await;
        assert_eq!(kept.as_deref(), Some(id.as_bytes()));
    }
    let files = files(folder.path());
    assert_eq!(files.len(), ids.len());
    let within = format!("files/{handoff}");
    let flat = |file: &PathBuf| file.starts_with(&within) && file.components().count() == 3;
    assert!(files.iter().all(flat), "{files:?}");
}

#[test]
fn the_same_id_in_two_messages_is_two_files() {
    let handoff = HandoffId::new();
    let of = |message, file| Attachment::of(handoff, message, file);
    assert_eq!(of("m1", "0"), of("m1", "0"));
    assert_ne!(of("m1", "0"), of("m2", "0"));
    assert_ne!(of("m1", "0"), of("m", "10"));
    assert_ne!(of("m1", "0"), Attachment::of(HandoffId::new(), "m1", "0"));
}

#[cfg(unix)]
#[tokio::test]
async fn only_we_can_look_into_the_folder() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path());
    let mode = folder
        .path()
        .join("files")
        .metadata()
        .expect("a folder")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_folder_that_cannot_be_is_an_error_and_not_a_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    assert!(Custody::open(&Place::Folder(file.join("below"))).is_err());
}
