//! Audiobookshelf: its events over Socket.IO (document 003, and the wire notes on Audiobookshelf), and RedSeat's twin on the
//! same endpoint.
//!
//! ```text
//! client                                             Fanfare
//!   Socket.IO on /socket.io/, CONNECT          ────►  nobody yet, and sent nothing; 10 s to say who it is
//!   42["auth","<token>"]                       ────►  who is it?  42["auth_failed",…] and 42["invalid_token"]
//!                                              ◄────  42["init",{"userId":…,"username":…}]
//!                                              ◄────  42["item_added",{…}]
//!
//!   CONNECT with {"token":"<token>"}           ────►  RedSeat's twin
//!                                              ◄────  42["auth",{"server":…}], 42["medias",{"library":…}]
//! ```

mod encode;
mod json;
mod place;
mod shapes;

/// The dialect's name in `dialects.NAME` and in raw events.
const DIALECT: &str = "audiobookshelf";
