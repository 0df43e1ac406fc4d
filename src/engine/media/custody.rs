//! Our copies of files, in a folder or a bucket.
//!
//! A desk's own links want credentials or run out, and a channel may fetch a file days later.

use std::error::Error;
use std::fs::DirBuilder;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::Attachment;
use crate::domain::ids::HandoffId;

/// Where copies are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a folder, made when it is not there.
    Folder(PathBuf),
    /// In a bucket, opened with the usual `AWS_…` variables of the environment; in builds with the feature `s3`.
    Bucket {
        /// Its name.
        name: String,
        /// The first part of every object's name; may be empty.
        prefix: String,
    },
}

/// The object store failed. It may be away for a while, so this is worth another try.
#[derive(Debug, thiserror::Error)]
#[error("the store for files failed: {0}")]
pub struct CustodyError(#[from] object_store::Error);

/// What was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Bytes.
    pub size: u64,
    /// Their SHA-256, in hexadecimal.
    pub sha256: String,
}

/// A copy, to be read.
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// The bytes; an item that is an error is the last.
    pub bytes: BoxStream<'static, Result<Bytes, CustodyError>>,
}

/// Keeps copies.
#[derive(Debug, Clone)]
pub struct Custody {
    store: Arc<dyn ObjectStore>,
    /// What stands before every name.
    prefix: Path,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
}

impl Custody {
    /// Opens the place. A bucket is not called yet.
    pub fn open(place: &Place) -> Result<Self, CustodyError> {
        match place {
            Place::Folder(folder) => {
                make(folder).map_err(unusable)?;
                let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
                Ok(Self {
                    store: Arc::new(store),
                    prefix: Path::default(),
                    folder: Some(folder.clone()),
                })
            }
            #[cfg(not(feature = "s3"))]
            Place::Bucket { .. } => Err(unusable("this build has no buckets")),
            #[cfg(feature = "s3")]
            Place::Bucket { name, prefix } => {
                let store = object_store::aws::AmazonS3Builder::from_env()
                    .with_bucket_name(name)
                    .with_retry(object_store::RetryConfig {
                        // Who keeps a file tries again anyway, and who asks for one does not wait for minutes.
                        max_retries: 2,
                        retry_timeout: std::time::Duration::from_secs(10),
                        ..Default::default()
                    })
                    .build()?;
                Ok(Self {
                    store: Arc::new(store),
                    prefix: Path::from(prefix.as_str()),
                    folder: None,
                })
            }
        }
    }

    /// Keeps a file. When this returns it is on disk; the same file again is the same object.
    pub async fn keep(&self, attachment: Attachment, bytes: Bytes) -> Result<Kept, CustodyError> {
        let kept = Kept {
            size: bytes.len() as u64,
            sha256: hex(digest(&SHA256, &bytes).as_ref()),
        };
        let object = self.object(attachment);
        self.store.put(&object, bytes.into()).await?;
        Ok(kept)
    }

    /// A file that was kept; `None` when it was not, or was erased.
    pub async fn read(&self, attachment: Attachment) -> Result<Option<Stored>, CustodyError> {
        match self.store.get(&self.object(attachment)).await {
            Ok(found) => Ok(Some(Stored {
                size: found.meta.size,
                bytes: found.into_stream().map_err(CustodyError::from).boxed(),
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Erases all files of a handoff. Erasing what is gone already is a success.
    pub async fn erase(&self, handoff: HandoffId) -> Result<(), CustodyError> {
        let prefix = self.prefix.clone().join(handoff.to_string());
        let objects = self.store.list(Some(&prefix));
        let names = objects.map_ok(|object| object.location).boxed();
        let erased = self.store.delete_stream(names);
        erased.try_for_each(|_| std::future::ready(Ok(()))).await?;
        // A crash in the middle of a copy leaves a part of it under a name that is no object's.
        if let Some(folder) = &self.folder {
            match tokio::fs::remove_dir_all(folder.join(handoff.to_string())).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unusable(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn object(&self, attachment: Attachment) -> Path {
        let Attachment { handoff, id } = attachment;
        self.prefix
            .clone()
            .join(handoff.to_string())
            .join(id.to_string())
    }
}

/// A folder that only we can read.
fn make(folder: &std::path::Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn unusable(problem: impl Into<Box<dyn Error + Send + Sync>>) -> CustodyError {
    CustodyError(object_store::Error::Generic {
        store: "media",
        source: problem.into(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
