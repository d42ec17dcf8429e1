//! JSON as text: compact it, walk it, rewrite it, without ever parsing what we only pass on.
//!
//! Publishers' fields stay verbatim at every level (event map, section 1): `1.50` stays `1.50`, escapes and the order
//! of fields stay. Knows nothing of events.

mod compact;
mod text;
mod value;
mod write;

pub use compact::{SyntaxError, SyntaxProblem, compact};
pub use text::Text;
pub use value::{Field, Fields, Items, Value};
pub use write::{ObjectWriter, quote};
