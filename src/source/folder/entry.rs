//! What is remembered of one file, and the `media` object made of it.

use std::{fs::Metadata, os::unix::fs::MetadataExt, path::Path};

use serde::{Deserialize, Serialize};

use super::{announce::json, media_type::Kind};

/// What the file system says about a file: enough to see that it changed, and to know it again under another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Bytes.
    pub(super) size: u64,
    /// Nanoseconds since the epoch: finer than what is announced, so that two quick changes are told apart.
    pub(super) modified_ns: i64,
    /// Milliseconds since the epoch; the modification time where the file system keeps no birth time.
    pub(super) created: i64,
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Facts {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified_ns = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        let born = metadata.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let created = born.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(modified_ns / 1_000_000);
        Self { size: metadata.len(), modified_ns, created, device: metadata.dev(), inode: metadata.ino() }
    }

    /// The same content, as far as can be told without reading it.
    pub(super) fn same_content(&self, other: &Self) -> bool {
        self.size == other.size && self.modified_ns == other.modified_ns
    }

    /// The same file under whatever name.
    pub(super) fn same_file(&self, other: &Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }
}

/// One remembered file. Its path is its key in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) mimetype: String,
    /// When this source first saw the file, in milliseconds since the epoch.
    pub(super) added: i64,
    /// The first bytes could not be read: kind and MIME type are the extension's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unreadable: bool,
    #[serde(flatten)]
    pub(super) facts: Facts,
}

impl Entry {
    /// The `media` object, as announced and as listed: one function, so that both are the same text.
    pub(super) fn media(&self, relative: &Path) -> String {
        json(&Media {
            id: &self.id,
            name: &name(relative),
            kind: self.kind,
            mimetype: &self.mimetype,
            size: self.facts.size,
            added: self.added,
            modified: self.facts.modified_ns.div_euclid(1_000_000),
            created: self.facts.created,
            path: &relative.to_string_lossy(),
        })
    }

    /// What is left to say of a deleted file.
    pub(super) fn deleted_media(&self, relative: &Path) -> String {
        json(&DeletedMedia { id: &self.id, name: &name(relative), kind: self.kind, path: &relative.to_string_lossy() })
    }
}

fn name(relative: &Path) -> String {
    relative.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Field names as in the wire notes on RedSeat, section 5; `path` is relative to the library's folder.
#[derive(Serialize)]
struct Media<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: Kind,
    mimetype: &'a str,
    size: u64,
    added: i64,
    modified: i64,
    created: i64,
    path: &'a str,
}

#[derive(Serialize)]
struct DeletedMedia<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: Kind,
    path: &'a str,
}
