//! What calls may be given, for the description: forms of ids, addresses and bodies. It decides nothing: what is allowed is said
//! where a call is read, and a test asks the server with whatever these allow.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, RefOr, Schema, SchemaFormat,
        schema::{AdditionalProperties, SchemaType, Type},
    },
};

use super::description::Problem;
use crate::{event::EventKind, source::cloudevents};

const LEVELS: [&str; 3] = ["read", "write", "admin"];
const DIALECTS: [&str; 4] = ["redseat", "plex", "mediabrowser", "audiobookshelf"];
const NO_CONTROL: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";

/// The id of a user or a library.
pub(in crate::server) struct Id;

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        text().min_length(Some(1)).max_length(Some(128)).pattern(Some(NO_CONTROL)).description(Some("At most 128 bytes")).into()
    }
}

impl ToSchema for Id {}

/// The id of a connection, as lists of connections have it; the `next` of their pages looks the same.
pub(in crate::server) struct ConnectionName;

impl PartialSchema for ConnectionName {
    fn schema() -> RefOr<Schema> {
        text().pattern(Some("^[0-9a-f]{1,4}-[0-9a-f]{1,8}-[0-9a-f]{1,8}$")).into()
    }
}

impl ToSchema for ConnectionName {}

/// Where a client comes from.
pub(in crate::server) struct Address;

impl PartialSchema for Address {
    fn schema() -> RefOr<Schema> {
        let known = |format| text().format(Some(SchemaFormat::KnownFormat(format)));
        OneOfBuilder::new().item(known(KnownFormat::Ipv4)).item(known(KnownFormat::Ipv6)).into()
    }
}

impl ToSchema for Address {}

/// What `PUT /api/principals/{user}` takes.
pub(in crate::server) struct RightsForm;

impl PartialSchema for RightsForm {
    fn schema() -> RefOr<Schema> {
        let level = || text().enum_values(Some(LEVELS));
        let each = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property_names(Some(text().min_length(Some(1)).max_length(Some(128)).pattern(Some(NO_CONTROL))))
            .additional_properties(Some(level()));
        let flag = || ObjectBuilder::new().schema_type(Type::Boolean);
        closed()
            .property("admin", flag())
            .property("disabled", flag())
            .property("revoke_tokens", flag())
            .property("libraries", OneOfBuilder::new().item(level()).item(each))
            .into()
    }
}

impl ToSchema for RightsForm {}

/// What `POST /api/test-event` takes: words for a message, or a raw event of one dialect.
pub(in crate::server) struct TestEventForm;

impl PartialSchema for TestEventForm {
    fn schema() -> RefOr<Schema> {
        let said = || closed().property("text", text()).property("session", ConnectionName::schema());
        let raw = said()
            .property("dialect", text().enum_values(Some(DIALECTS)))
            .required("dialect")
            .property("name", text().min_length(Some(1)).max_length(Some(128)).pattern(Some(NO_CONTROL)))
            .property("payload", ObjectBuilder::new().schema_type(SchemaType::AnyValue));
        OneOfBuilder::new().item(said()).item(raw).into()
    }
}

impl ToSchema for TestEventForm {}

/// What `POST /api/events` takes: a CloudEvent of which only `type` and `data` must be there; other attributes may be left out, or be
/// null. What `data` is, the description of the streams says for each type.
pub(in crate::server) struct EventForm;

impl PartialSchema for EventForm {
    fn schema() -> RefOr<Schema> {
        let or_null = || ObjectBuilder::new().schema_type(SchemaType::Array(vec![Type::String, Type::Null]));
        let name = || {
            let name = or_null().min_length(Some(1)).max_length(Some(cloudevents::MAX_NAME_BYTES)).pattern(Some(NO_CONTROL));
            name.description(Some("At most 256 bytes; with the other of `id` and `source` it tells repeats"))
        };
        let kinds = cloudevents::kinds().map(EventKind::name);
        let one_of = |words: &[&str]| or_null().enum_values(Some(words.iter().copied().map(Some).chain([None]).collect::<Vec<_>>()));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("type", text().enum_values(Some(kinds)))
            .required("type")
            .property("data", ObjectBuilder::new().schema_type(Type::Object).description(Some("As the type says")))
            .required("data")
            .property("audience", or_null().description(Some("Who of those who may see it shall: `user:ID`, `library:ID`, `session:ID` …")))
            .property("id", name())
            .property("source", name())
            .property("time", or_null().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))))
            .property("subject", or_null())
            .property("dataschema", or_null())
            .property("specversion", one_of(&["1.0"]))
            .property("datacontenttype", one_of(&["application/json"]))
            .into()
    }
}

impl ToSchema for EventForm {}

/// Why nothing was published: one reason, or of a batch one for each event.
pub(in crate::server) struct NothingPublished;

impl PartialSchema for NothingPublished {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new().item(Problem::schema()).item(ArrayBuilder::new().items(Problem::schema())).into()
    }
}

impl ToSchema for NothingPublished {}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// An object without other fields than those it is given.
fn closed() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}
