//! What kind of media a file is: by its extension, and by its first bytes where the two disagree. It touches no disk.
//!
//! Document 002 knows `directory`, `photo`, `video`, `archive`, `album` and `other`. A folder of music or books needs two
//! more, so this source also says `audio` and `book`. It announces files only, so never `directory` or `album`.

use std::{ffi::OsStr, path::Path};

use infer::MatcherType;

/// How many bytes of a file are looked at.
pub(super) const HEAD_BYTES: u64 = 8 * 1024;

/// The kind of a media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Photo,
    Video,
    Audio,
    Archive,
    Book,
    Other,
}

/// Kind and MIME type of a file, from its name and its first bytes (empty when they cannot be read).
///
/// The content wins over the extension, except where the content is only the wrapper: a container of sound or pictures does
/// not say which it holds (`.m4b` looks like any MP4), and comics and e-books are archives inside.
pub(super) fn of(relative: &Path, head: &[u8]) -> (Kind, String) {
    let by_name = by_extension(relative);
    let Some((kind, mime)) = by_content(head) else {
        return by_name.unwrap_or_else(|| (Kind::Other, "application/octet-stream".into()));
    };
    match by_name {
        Some((named, named_mime)) if named == kind || is_wrapper(kind, named) => (named, named_mime),
        _ => (kind, mime),
    }
}

fn is_wrapper(content: Kind, named: Kind) -> bool {
    matches!((content, named), (Kind::Video, Kind::Audio) | (Kind::Audio, Kind::Video) | (Kind::Archive, Kind::Book))
}

fn by_content(head: &[u8]) -> Option<(Kind, String)> {
    let found = infer::get(head)?;
    let kind = match found.matcher_type() {
        MatcherType::Image => Kind::Photo,
        MatcherType::Video => Kind::Video,
        MatcherType::Audio => Kind::Audio,
        MatcherType::Archive if found.mime_type() == "application/pdf" => Kind::Book,
        MatcherType::Archive => Kind::Archive,
        MatcherType::Book => Kind::Book,
        MatcherType::App | MatcherType::Doc | MatcherType::Font | MatcherType::Text | MatcherType::Custom => Kind::Other,
    };
    Some((kind, found.mime_type().into()))
}

fn by_extension(relative: &Path) -> Option<(Kind, String)> {
    let extension = relative.extension().and_then(OsStr::to_str)?.to_ascii_lowercase();
    if let Some((kind, mime)) = special(&extension) {
        return Some((kind, mime.into()));
    }
    let mime = mime_guess::from_ext(&extension).first()?;
    let kind = match mime.type_().as_str() {
        "image" => Kind::Photo,
        "video" => Kind::Video,
        "audio" => Kind::Audio,
        _ => Kind::Other,
    };
    Some((kind, mime.essence_str().into()))
}

/// Extensions whose kind does not follow from their MIME type, or that the MIME table does not have.
fn special(extension: &str) -> Option<(Kind, &'static str)> {
    Some(match extension {
        "epub" => (Kind::Book, "application/epub+zip"),
        "pdf" => (Kind::Book, "application/pdf"),
        "mobi" | "prc" => (Kind::Book, "application/x-mobipocket-ebook"),
        "azw" | "azw3" => (Kind::Book, "application/vnd.amazon.ebook"),
        "fb2" => (Kind::Book, "application/x-fictionbook+xml"),
        "djvu" => (Kind::Book, "image/vnd.djvu"),
        "cbz" => (Kind::Book, "application/vnd.comicbook+zip"),
        "cbr" => (Kind::Book, "application/vnd.comicbook-rar"),
        "cb7" => (Kind::Book, "application/x-cb7"),
        "zip" => (Kind::Archive, "application/zip"),
        "rar" => (Kind::Archive, "application/vnd.rar"),
        "7z" => (Kind::Archive, "application/x-7z-compressed"),
        "tar" => (Kind::Archive, "application/x-tar"),
        "gz" | "tgz" => (Kind::Archive, "application/gzip"),
        "bz2" => (Kind::Archive, "application/x-bzip2"),
        "xz" => (Kind::Archive, "application/x-xz"),
        "zst" => (Kind::Archive, "application/zstd"),
        "m4b" => (Kind::Audio, "audio/mp4"),
        "mka" => (Kind::Audio, "audio/x-matroska"),
        "opus" => (Kind::Audio, "audio/ogg"),
        "mkv" => (Kind::Video, "video/x-matroska"),
        "ts" | "m2ts" | "mts" => (Kind::Video, "video/mp2t"),
        "heic" => (Kind::Photo, "image/heic"),
        "heif" => (Kind::Photo, "image/heif"),
        "dng" => (Kind::Photo, "image/x-adobe-dng"),
        "cr2" | "cr3" => (Kind::Photo, "image/x-canon-cr2"),
        "nef" => (Kind::Photo, "image/x-nikon-nef"),
        "arw" => (Kind::Photo, "image/x-sony-arw"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F'];
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0";
    const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";

    fn kind(name: &str, head: &[u8]) -> (Kind, String) {
        of(Path::new(name), head)
    }

    #[test]
    fn the_extension_decides_when_the_content_says_nothing() {
        assert_eq!(kind("a.JPG", b""), (Kind::Photo, "image/jpeg".into()));
        assert_eq!(kind("a.flac", b"").0, Kind::Audio);
        assert_eq!(kind("a.mkv", b"").0, Kind::Video);
        assert_eq!(kind("a.epub", b"").0, Kind::Book);
        assert_eq!(kind("a.unknown-thing", b"plain"), (Kind::Other, "application/octet-stream".into()));
    }

    #[test]
    fn the_content_decides_without_or_against_the_extension() {
        assert_eq!(kind("photo", JPEG), (Kind::Photo, "image/jpeg".into()));
        assert_eq!(kind("film.mkv", JPEG), (Kind::Photo, "image/jpeg".into()));
        assert_eq!(kind("a.jpg", ZIP).0, Kind::Archive);
    }

    #[test]
    fn a_wrapper_does_not_overrule_the_extension() {
        assert_eq!(kind("a.m4b", MP4), (Kind::Audio, "audio/mp4".into()));
        assert_eq!(kind("a.cbz", ZIP), (Kind::Book, "application/vnd.comicbook+zip".into()));
        assert_eq!(kind("a.mp4", MP4), (Kind::Video, "video/mp4".into()));
    }
}
