//! A media server that holds the engine in its own process: it publishes from a plain thread and from asynchronous code.
//!
//! ```text
//! cargo run --example embed           runs until Enter is pressed, one event a second
//! cargo run --example embed -- 3      publishes three events from each side and ends
//! ```
#![allow(clippy::print_stdout, reason = "an example's output")]

use std::{error::Error, sync::mpsc, thread, time::Duration};

use fanfare::{Engine, app, app::Publish, config::Settings, event::EventKind};
use serde_json::json;

/// Settings as a file would have them; a media server would make them from its own.
const SETTINGS: &str = r#"
[server]
listen = "127.0.0.1:0"             # a free port; a real server names one
metrics_listen = "127.0.0.1:0"

[[users]]
id = "bob"
token = "bobs-token-of-this-example"
libraries = { films = "read" }
"#;

/// How long a thread waits for room before it is told that there is none.
const PATIENCE: Duration = Duration::from_secs(5);

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let n_events = std::env::args().nth(1).map(|n| n.parse::<u32>()).transpose()?;
    let mut settings = Settings::parse(SETTINGS)?;
    settings.server.data_dir = std::env::temp_dir().join(format!("fanfare-embed-{}", std::process::id()));
    let data_dir = settings.server.data_dir.clone();

    let server = app::spawn(settings)?;
    println!("listening on http://{}", server.address());
    println!("try: curl -N 'http://{}/sse?token=bobs-token-of-this-example'", server.address());

    let (stop, stopped) = mpsc::channel();
    let engine = server.engine().clone();
    let scanner = thread::spawn(move || scan(&engine, n_events, &stopped));
    if n_events.is_none() {
        println!("press Enter to stop");
        std::io::stdin().read_line(&mut String::new())?;
        drop(stop);
    }
    scanner.join().map_err(|_| "the scanner has panicked")??;

    // Any runtime will do: the engine has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(play(server.engine(), n_events.unwrap_or(1)))?;

    server.stop();
    println!("stopped");
    std::fs::remove_dir_all(data_dir)?;
    Ok(())
}

/// A plain thread of the media server, such as its scanner: it may wait.
fn scan(engine: &Engine, n_events: Option<u32>, stopped: &mpsc::Receiver<()>) -> Outcome {
    let pause = if n_events.is_some() { Duration::ZERO } else { Duration::from_secs(1) };
    for number in 1..=n_events.unwrap_or(u32::MAX) {
        let media = json!({"id": format!("m{number}"), "name": format!("film {number}.mkv"), "type": "video"});
        let added = Publish::new(EventKind::Medias, &json!({"library": "films", "medias": [{"action": "Added", "media": media}]}))?;
        let receipt = engine.publish_blocking(added, PATIENCE)?;
        println!("scanner: published {} (order {})", receipt.id, receipt.order);
        if stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Disconnected) && n_events.is_none() {
            break;
        }
    }
    Ok(())
}

/// Asynchronous code of the media server, such as its player: it is told at once when there is no room.
async fn play(engine: &Engine, n_events: u32) -> Outcome {
    for number in 1..=n_events {
        let position = json!({"userRef": "bob", "mediaRef": "m1", "progress": number * 1000});
        let progress = Publish::new(EventKind::MediaProgress, &json!({"library": "films", "progress": position}))?;
        // The publisher's own id: should it try again, nothing is delivered twice.
        let receipt = engine.publish(progress.with_id(&format!("p{number}"), "/player")?).await?;
        println!("player: published {} (order {})", receipt.id, receipt.order);
    }
    Ok(())
}
