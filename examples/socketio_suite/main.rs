//! Socket.IO without media: the two applications that the conformance suites of Engine.IO and Socket.IO ask for.
//!
//! ```text
//! cargo run --example socketio_suite                              listens on 127.0.0.1:3000 until Enter is pressed
//! cargo run --example socketio_suite -- 127.0.0.1:0 25000 20000   with that address, ping interval and ping timeout (ms)
//! ```
//!
//! `/engine.io/` says every message back. At `/socket.io/` there are the namespaces `/` and `/custom`; who connects one is told what
//! it connected with (`auth`), `message` comes back as `message-back`, and `message-with-ack` is acknowledged with what it said.
#![allow(clippy::print_stdout, reason = "an example's output")]

mod suite;

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use fanfare::{app, config::Settings, engineio};
use suite::{EngineSuite, SocketSuite};

const SETTINGS: &str = r#"
[server]
listen = "127.0.0.1:3000"
metrics_listen = "127.0.0.1:0"

[limits]
inbound_per_minute = 0

[dialects.redseat]
enabled = false
[dialects.plex]
enabled = false
[dialects.mediabrowser]
enabled = false
[dialects.audiobookshelf]
enabled = false
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut settings = Settings::parse(SETTINGS)?;
    if let Some(listen) = arguments.next() {
        settings.server.listen = listen.parse::<SocketAddr>()?;
    }
    let mut millis = |default| arguments.next().map_or(Ok(default), |text| text.parse()).map(Duration::from_millis);
    let carried = engineio::Settings {
        ping_interval: millis(300)?,
        ping_timeout: millis(200)?,
        connect_timeout: Duration::from_secs(1),
        ..engineio::Settings::default()
    };
    settings.server.data_dir = std::env::temp_dir().join(format!("fanfare-socketio-{}", std::process::id()));
    let data_dir = settings.server.data_dir.clone();
    let server = app::spawn_speaking(settings, vec![Arc::new(EngineSuite(carried)), Arc::new(SocketSuite(carried))])?;
    println!("listening on http://{}", server.address());
    println!("press Enter to stop");
    std::io::stdin().read_line(&mut String::new())?;
    server.stop();
    std::fs::remove_dir_all(data_dir)?;
    Ok(())
}
