//! A library item, expanded: a book or a podcast.

use super::{overlaid, text, time};
use crate::{
    clock::Timestamp,
    dialect::audiobookshelf::{
        DIALECT,
        json::{list, merged, texts},
        place::{MediaType, SERVER_VERSION},
    },
    event::{
        Object, Reader,
        json::{Value, quote},
    },
};

/// What both kinds have, `media` after it.
const ITEM: &str = r#"{"id":"","ino":"","oldLibraryItemId":null,"libraryId":"","folderId":"","path":"","relPath":"","isFile":false,"mtimeMs":0,"ctimeMs":0,"birthtimeMs":0,"addedAt":0,"updatedAt":0,"isMissing":false,"isInvalid":false,"mediaType":"book","media":{},"numFiles":0,"size":0,"lastScan":null,"scanVersion":null,"libraryFiles":[]}"#;

const BOOK: &str = r#"{"id":"","metadata":{"title":null,"subtitle":null,"authors":[],"narrators":[],"series":[],"genres":[],"publishedYear":null,"publishedDate":null,"publisher":null,"description":null,"isbn":null,"asin":null,"language":null,"explicit":false,"abridged":false,"titleIgnorePrefix":"","authorName":"","authorNameLF":"","narratorName":"","seriesName":"","descriptionPlain":null},"coverPath":null,"tags":[],"numTracks":0,"numAudioFiles":0,"numChapters":0,"duration":0,"size":0,"ebookFormat":null,"libraryItemId":"","audioFiles":[],"chapters":[],"ebookFile":null,"tracks":[]}"#;

const PODCAST: &str = r#"{"id":"","metadata":{"title":null,"author":null,"description":null,"releaseDate":null,"genres":[],"feedUrl":null,"imageUrl":null,"itunesPageUrl":null,"itunesId":null,"itunesArtistId":null,"explicit":false,"language":null,"type":null,"titleIgnorePrefix":""},"coverPath":null,"tags":[],"numEpisodes":0,"autoDownloadEpisodes":false,"autoDownloadSchedule":null,"lastEpisodeCheck":null,"maxEpisodesToKeep":0,"maxNewEpisodesToDownload":3,"size":0,"libraryItemId":"","episodes":[]}"#;

/// The item that an event tells of, in a library of that shown id.
pub(in super::super) fn item(object: &Object, library: &str, media_type: MediaType, accepted: Timestamp) -> String {
    let id = object.shown_id(DIALECT).text;
    let own = format!(
        r#"{{"libraryId":{library},"folderId":{library},"addedAt":{added},"updatedAt":{updated},"size":{size},"media":{{"size":{size},"tags":{tags},"metadata":{metadata}}}}}"#,
        library = quote(library),
        added = time(object, &["addedAt", "added", "created"], accepted),
        updated = time(object, &["updatedAt", "modified", "updated"], accepted),
        size = object.field("size").and_then(Value::number).filter(|size| *size >= 0.0).map_or(0, |size| size as u64),
        tags = list(&texts(object.field("tags"))),
        metadata = metadata(object, media_type),
    );
    overlaid(merged(&empty(&id, object.name.as_deref().unwrap_or(&id), media_type), &own), object)
}

/// An item of which nothing is known but its id and a title.
pub(in super::super) fn empty(id: &str, title: &str, media_type: MediaType) -> String {
    let (id, title) = (quote(id), quote(title));
    let media = if media_type == MediaType::Book { BOOK } else { PODCAST };
    let own = format!(
        r#"{{"id":{id},"mediaType":"{kind}","scanVersion":"{SERVER_VERSION}","media":{{"id":{id},"libraryItemId":{id},"metadata":{{"title":{title},"titleIgnorePrefix":{title}}}}}}}"#,
        kind = media_type.name(),
    );
    merged(&merged(ITEM, &format!(r#"{{"media":{media}}}"#)), &own)
}

/// The metadata of a media of which nothing is known but its title.
pub(in super::super) fn plain_metadata(title: &str, media_type: MediaType) -> String {
    let media = if media_type == MediaType::Book { BOOK } else { PODCAST };
    let title = quote(title);
    let metadata = Value::of_compact(media).field("metadata").map_or("{}", Value::text);
    merged(metadata, &format!(r#"{{"title":{title},"titleIgnorePrefix":{title}}}"#))
}

/// What an item of a library of no such kind is: as its publisher's own words have it, else a book.
pub(in super::super) fn media_type(object: &Object) -> MediaType {
    let of_overlay = object.overlay(DIALECT).and_then(|over| Value::of_compact(over).field("mediaType")).and_then(Value::string);
    if of_overlay.as_deref() == Some("podcast") { MediaType::Podcast } else { MediaType::Book }
}

fn metadata(object: &Object, media_type: MediaType) -> String {
    let explicit = object.field("explicit").is_some_and(is_set);
    let (description, language) = (text(object, "description"), text(object, "language"));
    let genres = list(&texts(object.field("genres")));
    let common = format!(r#""explicit":{explicit},"description":{description},"language":{language},"genres":{genres}"#);
    if media_type == MediaType::Podcast {
        return format!(r#"{{{common},"author":{}}}"#, text(object, "author"));
    }
    let year = object.field("year").and_then(Value::number).map_or_else(|| "null".to_owned(), |year| quote(&year.to_string()));
    format!(r#"{{{common},"descriptionPlain":{description},"publisher":{},"publishedYear":{year}}}"#, text(object, "publisher"))
}

/// Whether a reader is shown an item, by its explicit flag and its tags (wire notes, section 4).
pub(in super::super) fn is_shown(item: &str, reader: Reader<'_>) -> bool {
    let media = Value::of_compact(item).field("media");
    let is_explicit = media.and_then(|media| media.field("metadata")?.field("explicit")).is_some_and(is_set);
    if is_explicit && reader.explicit == Some(false) {
        return false;
    }
    let Some(allowed) = reader.tags else { return true };
    texts(media.and_then(|media| media.field("tags"))).iter().any(|tag| allowed.contains(tag))
}

/// Whether a flag is set. Feeds of podcasts write `yes`, `no` and `clean`: what is none of the words for no is taken for yes, so
/// that nobody is shown what he is not to see.
fn is_set(flag: Value<'_>) -> bool {
    let is_no = |word: &str| ["", "false", "no", "clean", "0"].iter().any(|no| word.trim().eq_ignore_ascii_case(no));
    flag.string().map_or_else(|| !matches!(flag.text(), "false" | "null" | "0"), |word| !is_no(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tags: &str, explicit: bool, reader: Reader<'_>) -> bool {
        is_shown(&format!(r#"{{"media":{{"tags":{tags},"metadata":{{"explicit":{explicit}}}}}}}"#), reader)
    }

    #[test]
    fn an_item_is_shown_by_its_tags_and_its_explicit_flag() {
        let (kids, anybody) = (["kids".to_owned()], Reader::default());
        let of_kids = Reader { tags: Some(&kids), ..anybody };
        let clean = Reader { explicit: Some(false), ..anybody };
        assert!(shown(r#"["kids","new"]"#, false, of_kids) && !shown(r#"["new"]"#, false, of_kids));
        assert!(!shown("[]", false, of_kids), "untagged is not one of his");
        assert!(!shown("[]", false, Reader { tags: Some(&[]), ..anybody }));
        assert!(shown("[]", true, anybody) && shown("[]", false, clean) && !shown("[]", true, clean));
        assert!(shown("[]", true, Reader { explicit: Some(true), ..anybody }));
        assert!(is_shown(r#"{"id":"x"}"#, clean) && !is_shown(r#"{"id":"x"}"#, of_kids));
    }

    #[test]
    fn an_explicit_flag_that_is_no_boolean_hides_an_item_unless_it_says_no() {
        let clean = Reader { explicit: Some(false), ..Reader::default() };
        for (flag, is_shown) in [("\"yes\"", false), ("\"True\"", false), ("1", false), ("{}", false)]
            .into_iter()
            .chain(["null", "0", "\"no\"", "\"Clean\"", "\"false\"", "\"\""].map(|no| (no, true)))
        {
            let item = format!(r#"{{"media":{{"metadata":{{"explicit":{flag}}}}}}}"#);
            assert_eq!(super::is_shown(&item, clean), is_shown, "{flag}");
        }
    }

    #[test]
    fn the_shapes_are_whole_json() {
        for media_type in [MediaType::Book, MediaType::Podcast] {
            let json: serde_json::Value = serde_json::from_str(&empty("an id", "A \"title\"", media_type)).expect("JSON");
            assert_eq!(json["media"]["metadata"]["title"], "A \"title\"");
            assert_eq!(json["mediaType"], media_type.name());
            assert!(serde_json::from_str::<serde_json::Value>(&plain_metadata("x", media_type)).is_ok());
        }
    }
}
