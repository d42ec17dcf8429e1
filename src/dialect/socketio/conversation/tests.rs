use std::time::Duration;

use super::*;
use crate::dialect::socketio::Rejected;

/// Echoes, acknowledges, and knows the namespaces `/` and `/custom`.
struct Echo;

impl Application for Echo {
    fn connect(&mut self, connect: &Connect<'_>, reactions: &mut Reactions) -> Result<(), Rejected> {
        if !["/", "/custom"].contains(&connect.namespace) {
            return Err(Rejected::invalid_namespace());
        }
        reactions.emit(connect.namespace, "auth", &[connect.payload]);
        Ok(())
    }

    fn event(&mut self, event: &Said<'_>, reactions: &mut Reactions) {
        let arguments: Vec<_> = event.arguments.iter().map(|argument| argument.get()).collect();
        reactions.ack(event, &arguments, event.attachments);
        match event.name {
            "kick me" => reactions.kick(event.namespace),
            name => reactions.emit_with(event.namespace, name, &arguments, event.attachments),
        }
    }
}

fn carried() -> Carried {
    Carried::new(&Settings::default(), Box::new(Echo))
}

/// What the client is told, as text; bytes in base64 of their own kind would be longer, so as numbers.
fn told(effects: Vec<Effect>) -> Vec<String> {
    let mut out = Vec::new();
    for effect in effects {
        match effect {
            Effect::Reply(frames) => {
                let mut rest = &frames[..];
                while let [first, length, tail @ ..] = rest {
                    let (payload, behind) = tail.split_at(usize::from(*length));
                    out.push(if *first == 0x81 { String::from_utf8_lossy(payload).into_owned() } else { format!("{payload:?}") });
                    rest = behind;
                }
            }
            Effect::Close(_, reason) => out.push(format!("close: {reason}")),
            Effect::Finish(end, _) => out.push(format!("{end:?}")),
            other => out.push(format!("{other:?}")),
        }
    }
    out
}

fn say(carried: &mut Carried, text: &str) -> Vec<String> {
    told(carried.receive(Message::Text(text)))
}

fn connected(namespace: &str) -> Carried {
    let mut carried = carried();
    assert!(say(&mut carried, &format!("40{namespace}"))[0].starts_with("40"));
    carried
}

#[test]
fn a_namespace_is_connected_before_anything_is_emitted_in_it() {
    let mut carried = carried();
    let answer = say(&mut carried, r#"40{"token":"x"}"#);
    assert!(answer[0].starts_with(r#"40{"sid":""#) && answer[0].len() == 32, "{answer:?}");
    assert_eq!(answer[1..], [r#"42["auth",{"token":"x"}]"#]);
    let answer = say(&mut carried, "40/custom,");
    assert!(answer[0].starts_with(r#"40/custom,{"sid":""#));
    assert_eq!(answer[1..], [r#"42/custom,["auth",{}]"#]);
    assert_eq!(say(&mut carried, "40/random"), [r#"44/random,{"message":"Invalid namespace"}"#]);
}

#[test]
fn events_are_passed_on_and_acknowledged_with_their_bytes() {
    let mut carried = connected("");
    assert_eq!(say(&mut carried, r#"42["a",1,{"b":"c"}]"#), [r#"42["a",1,{"b":"c"}]"#]);
    assert_eq!(say(&mut carried, r#"42456["a"]"#), ["43456[]", r#"42["a"]"#]);
    let holder = |n: u8| format!(r#"{{"_placeholder":true,"num":{n}}}"#);
    let (one, two) = (holder(0), holder(1));
    assert!(say(&mut carried, &format!(r#"452-["a",{one},{two}]"#)).is_empty());
    assert!(told(carried.receive(Message::Binary(&[1, 2]))).is_empty());
    let answer = told(carried.receive(Message::Binary(&[3])));
    assert_eq!(answer, [format!(r#"452-["a",{one},{two}]"#), "[1, 2]".to_owned(), "[3]".to_owned()]);
    assert!(say(&mut carried, "43999[]").is_empty(), "nobody waits for it");
    assert!(say(&mut carried, "42[1,2]").is_empty(), "nobody listens for numbers");
}

#[test]
fn who_leaves_a_namespace_may_connect_it_again_and_who_is_kicked_too() {
    let mut carried = connected("");
    assert!(say(&mut carried, "41").is_empty());
    assert!(say(&mut carried, "40")[0].starts_with("40{"));
    assert_eq!(say(&mut carried, r#"42["kick me"]"#), ["41"]);
    assert!(say(&mut carried, "40")[0].starts_with("40{"));
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    for text in ["abc", "", "2", "4abc", "42{}", "42[]", r#"42/custom,["x"]"#, "40", "40[]", "44{}", r#"450-["x"]"#] {
        let ends = say(&mut connected(""), text);
        assert!(matches!(&ends[..], [end] if end.starts_with("close: ")), "{text}: {ends:?}");
    }
    assert!(say(&mut carried(), r#"42["x"]"#)[0].starts_with("close: "), "not connected");
    assert!(told(connected("").receive(Message::Binary(&[1])))[0].starts_with("close: "), "no attachment is expected");
    let mut waiting = connected("");
    say(&mut waiting, r#"451-["a",{"_placeholder":true,"num":0}]"#);
    assert!(say(&mut waiting, r#"42["x"]"#)[0].starts_with("close: "), "an attachment is missing");
    let mut greedy = connected("");
    say(&mut greedy, r#"452-["a"]"#);
    let half = vec![0; Settings::default().max_payload / 2 + 1];
    assert!(told(greedy.receive(Message::Binary(&half))).is_empty());
    assert!(told(greedy.receive(Message::Binary(&half)))[0].starts_with("close: "), "too long together");
    assert_eq!(say(&mut connected(""), "1"), ["Gone"]);
}

#[test]
fn a_client_is_pinged_and_ends_when_it_does_not_answer() {
    let settings = Settings::default();
    let mut carried = connected("");
    let ping = carried.wake_at().expect("it waits");
    assert!(told(carried.wake(ping - Duration::from_secs(1), true)).is_empty());
    assert_eq!(told(carried.wake(ping, true)), ["2", "Pinged"]);
    assert_eq!(carried.wake_at(), Some(ping + settings.ping_timeout));
    assert!(told(carried.wake(ping + settings.ping_timeout, false)).is_empty(), "it takes nothing: another limit's business");
    let last = carried.wake_at().expect("it waits");
    assert_eq!(told(carried.wake(last, true)), ["Silent"]);
    let mut lively = connected("");
    let ping = lively.wake_at().expect("it waits");
    lively.wake(ping, true);
    assert_eq!(say(&mut lively, "3"), ["Answered(0ns)"], "it was pinged ahead of time");
    assert!(say(&mut lively, "3").is_empty(), "nothing was asked");
    assert!(lively.wake_at().is_some_and(|next| next > Instant::now() + settings.ping_interval / 2), "the next ping");
}

#[test]
fn a_client_that_connects_nothing_ends() {
    let settings = Settings { connect_timeout: Duration::from_secs(1), ..Settings::default() };
    let mut carried = Carried::new(&settings, Box::new(Echo));
    let end = carried.wake_at().expect("it waits");
    assert_eq!(told(carried.wake(end, true)), ["Unidentified"]);
}

#[test]
fn attachments_of_nobody_are_bounded_sooner() {
    let settings = Settings { strangers_payload: 10, ..Settings::default() };
    let mut carried = Carried::new(&settings, Box::new(Echo));
    assert!(say(&mut carried, "40")[0].starts_with("40"));
    let attach = |carried: &mut Carried| {
        assert!(say(carried, r#"451-["x",{"_placeholder":true,"num":0}]"#).is_empty());
        told(carried.receive(Message::Binary(&[0; 11])))
    };
    assert_eq!(attach(&mut carried), ["close: the attachments are too long"]);
    let mut carried = Carried::new(&settings, Box::new(Echo));
    say(&mut carried, "40");
    carried.know(&Arc::new(Principal { member: true, ..Principal::default() }));
    assert_ne!(attach(&mut carried), ["close: the attachments are too long"]);
}
