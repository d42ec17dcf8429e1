//! Where events come from: the formats they are published in, and the places that publish them.

mod attributes;
pub mod cloudevents;
