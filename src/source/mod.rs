//! Where events come from: the one way into the shards, the formats events are published in, and the places that publish.

mod attributes;
mod backlog;
pub mod cloudevents;
pub mod folder;
mod gate;
mod http;
mod lines;
mod publisher;
mod requests;
#[cfg(test)]
pub mod test_shard;

pub use backlog::Backlog;
pub use http::{Answer, Publishing};
pub use lines::DraftLines;
pub use publisher::{Answers, PublishError, Publisher};
pub use requests::{RequestError, Requests, Taken};
