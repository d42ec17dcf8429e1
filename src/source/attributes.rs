//! The attributes of one CloudEvent, however they came (as fields, or as headers), made into a draft.

use crate::{
    clock::Timestamp,
    event::{Audience, Event, EventKind, FieldError, Limits, Who, json::Text, json::Value},
    id::LibraryId,
    source::cloudevents::Draft,
};

/// The most bytes of an event's `id` and of its `source`.
pub const MAX_NAME_BYTES: usize = 256;
/// Names that are the engine's own, whether as a type or as the name of a raw event on `/sse`.
const OWN_NAMES: [&str; 2] = ["gap", "expiring"];

/// The attributes we read; every other one is ignored, as CloudEvents asks.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) kind: Option<String>,
    pub(super) id: Option<String>,
    pub(super) source: Option<String>,
    pub(super) time: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) specversion: Option<String>,
    pub(super) datacontenttype: Option<String>,
}

impl Attributes {
    /// Takes one attribute; `null` is as good as absent.
    pub(super) fn take(&mut self, name: &str, value: Value<'_>) -> Result<(), FieldError> {
        let place = match name {
            "data_base64" => return Err(FieldError::new(name, "is not accepted: `data` must be JSON")),
            "subject" | "dataschema" => &mut None,
            _ => match self.place(name) {
                Some(place) => place,
                None => return Ok(()),
            },
        };
        if value.is_null() {
            return Ok(());
        }
        let text = value.string().ok_or_else(|| FieldError::new(name, "must be a string"))?;
        match place.replace(text.into_owned()) {
            Some(_) => Err(FieldError::new(name, "must not appear twice")),
            None => Ok(()),
        }
    }

    /// Where an attribute of that name is kept, if it is one we read.
    pub(super) fn place(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "type" => &mut self.kind,
            "id" => &mut self.id,
            "source" => &mut self.source,
            "time" => &mut self.time,
            "audience" => &mut self.audience,
            "specversion" => &mut self.specversion,
            "datacontenttype" => &mut self.datacontenttype,
            _ => return None,
        })
    }

    /// Checks everything, and reads the data as the type says; `data` is a piece of `text`.
    pub(super) fn into_draft(self, text: &Text, data: Option<Value<'_>>, limits: &Limits) -> Result<Draft, FieldError> {
        if self.specversion.as_deref().is_some_and(|version| version != "1.0") {
            return Err(FieldError::new("specversion", "must be 1.0"));
        }
        if self.datacontenttype.as_deref().is_some_and(|content| !is_json(content)) {
            return Err(FieldError::new("datacontenttype", "must be application/json"));
        }
        let kind = kind(self.kind.as_deref())?;
        let data = data.ok_or_else(|| FieldError::new("data", "is required and must be an object"))?;
        let event = Event::read_compact(kind, text, data, limits)?;
        let (event, audience) = narrow(event, self.audience.as_deref())?;
        Ok(Draft {
            event,
            audience,
            id: self.id.map(|id| name(&id, "id")).transpose()?,
            source: self.source.map(|source| name(&source, "source")).transpose()?,
            time: self.time.as_deref().map(time).transpose()?,
        })
    }
}

fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

fn kind(name: Option<&str>) -> Result<EventKind, FieldError> {
    let name = name.ok_or_else(|| FieldError::new("type", format!("is required and {}", allowed_kinds())))?;
    match EventKind::from_name(name) {
        Some(kind) if is_made_by_the_engine(kind) => Err(FieldError::new("type", format!("`{name}` is made by the engine only"))),
        Some(kind) => Ok(kind),
        None if OWN_NAMES.contains(&name) => Err(FieldError::new("type", format!("`{name}` is made by the engine only"))),
        None => Err(FieldError::new("type", allowed_kinds())),
    }
}

/// Kinds that nobody publishes.
fn is_made_by_the_engine(kind: EventKind) -> bool {
    matches!(kind, EventKind::Presence | EventKind::Request | EventKind::Stats)
}

/// The kinds that may be published.
pub(super) fn kinds() -> impl Iterator<Item = EventKind> {
    EventKind::ALL.iter().copied().filter(|kind| !is_made_by_the_engine(*kind))
}

fn allowed_kinds() -> String {
    format!("must be one of {}", kinds().map(EventKind::name).collect::<Vec<_>>().join(", "))
}

/// Checks an event's `id` or `source`.
pub(super) fn name(text: &str, path: &'static str) -> Result<Box<str>, FieldError> {
    if text.is_empty() || text.len() > MAX_NAME_BYTES || text.chars().any(char::is_control) {
        return Err(FieldError::new(path, format!("must be 1 to {MAX_NAME_BYTES} bytes without control characters")));
    }
    Ok(text.into())
}

fn time(text: &str) -> Result<Timestamp, FieldError> {
    let time: jiff::Timestamp = text.parse().map_err(|_| FieldError::new("time", "must be a time of RFC 3339"))?;
    Ok(Timestamp(time.as_millisecond()))
}

/// Intersects the event's audience with what the publisher asks for; a raw event must ask.
fn narrow(mut event: Event, asked: Option<&str>) -> Result<(Event, Audience), FieldError> {
    let only = asked.map(Who::parse_list).transpose().map_err(|error| FieldError::new("audience", error.to_string()))?;
    let named = only.as_deref().map(named_library).transpose()?.flatten();
    if let Event::Raw(raw) = &mut event {
        if only.is_none() {
            return Err(FieldError::new("audience", "is required for a raw event"));
        }
        let taken = OWN_NAMES.contains(&raw.name.as_str()) || EventKind::from_name(&raw.name).is_some_and(is_made_by_the_engine);
        if raw.dialect == "redseat" && taken {
            return Err(FieldError::new("data.name", format!("`{}` is made by the engine only", raw.name)));
        }
        raw.library = named;
    } else if let (Some(named), Some(own)) = (named, event.library())
        && named != *own
    {
        return Err(FieldError::new("audience", format!("must name the event's own library, {own}: an event names one library")));
    }
    let mut audience = event.audience();
    if let Some(only) = only {
        if !audience.only.is_empty() {
            return Err(FieldError::new("audience", "must be left out when `data.to` names a session"));
        }
        audience.only = only;
    }
    Ok((event, audience))
}

fn named_library(only: &[Who]) -> Result<Option<LibraryId>, FieldError> {
    let mut named: Option<&LibraryId> = None;
    for who in only {
        let (Who::Library(library) | Who::LibraryAdmin(library)) = who else { continue };
        if named.is_some_and(|named| named != library) {
            return Err(FieldError::new("audience", "must name one library only"));
        }
        named = Some(library);
    }
    Ok(named.cloned())
}
