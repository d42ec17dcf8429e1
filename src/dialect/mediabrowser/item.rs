//! What items are called: `Type` and `MediaType`, from the kinds publishers write.

/// `Type`.
pub(super) fn type_name(kind: Option<&str>) -> &'static str {
    match kind.unwrap_or_default().to_ascii_lowercase().as_str() {
        "movie" | "movies" => "Movie",
        "episode" => "Episode",
        "series" | "serie" | "show" => "Series",
        "season" => "Season",
        "song" | "track" | "audio" | "music" => "Audio",
        "album" => "MusicAlbum",
        "artist" => "MusicArtist",
        "audiobook" => "AudioBook",
        "book" => "Book",
        "photo" | "image" | "picture" => "Photo",
        "channel" | "livetv" => "TvChannel",
        "trailer" => "Trailer",
        _ => "Video",
    }
}

/// `MediaType`.
pub(super) fn media_type(type_name: &str) -> &'static str {
    match type_name {
        "Audio" | "MusicAlbum" | "MusicArtist" | "AudioBook" => "Audio",
        "Photo" => "Photo",
        "Book" => "Book",
        _ => "Video",
    }
}
