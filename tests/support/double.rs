//! A chat service in memory, without state: every command has its outcome, and some ids stand for each fault.

use sabir::model::{Channel, Command, Fault, Kind, Message, Outcome, Person, Reply, Time};

/// A channel of this name and a number meets the fault of that number.
const FAULTY: &str = "9";

/// Messages of every list.
pub const LISTED: usize = 10;

/// What becomes of a command.
pub fn outcome(command: &Command) -> Outcome {
    let mut reply = command.operation().reply();
    let channel = channel_of(command);
    if let Some(number) = channel.strip_prefix(FAULTY)
        && let Some(kind) = number.parse().ok().and_then(|at: usize| Kind::ALL.get(at))
    {
        return Err(Fault::client(*kind, "as the test wants it"));
    }
    match &mut reply {
        Reply::OneMessage(one) => {
            *one.message = message(1);
            if let Command::Send(sent) = command {
                one.message.text = sent.text.clone();
            }
        }
        Reply::Messages(list) => {
            list.messages = (0..LISTED).map(message).collect();
            list.window.count = Some(LISTED as i64);
            list.window.has_next = Some(true);
            list.window.has_previous = Some(false);
        }
        Reply::OneChannel(one) => *one.channel = room(),
        Reply::Channels(list) => {
            list.channels = vec![room(), Channel::default()];
            list.window.count = Some(2);
        }
        Reply::OnePerson(one) => *one.person = person(),
        Reply::People(list) => {
            list.people = vec![person(), Person::default()];
            list.window.count = Some(2);
        }
        Reply::Moderation(done) => {
            *done.moderator = person();
            *done.person = person();
            done.created_at = Some(now());
        }
        // Nothing is known of these; an empty answer is one too.
        Reply::Done(_) | Reply::Session(_) | Reply::Moderations(_) | Reply::Participants(_) => {}
    }
    Ok(reply)
}

fn channel_of(command: &Command) -> &str {
    match command {
        Command::Send(message) => &message.channel,
        Command::List(list) => &list.channel,
        Command::FindChannel(find) => &find.channel,
        Command::Delete(delete) => &delete.channel,
        Command::Moderate(moderate) => &moderate.channel,
        _ => "",
    }
}

fn now() -> Time {
    Time::from_seconds(1_610_082_224)
}

fn person() -> Person {
    Person {
        id: "3".into(),
        name: "Mytho".into(),
        display: "Mytho".into(),
        avatar: "https://a.example/m.png".into(),
        ..Person::default()
    }
}

fn room() -> Channel {
    Channel {
        id: "6".into(),
        name: "mytho".into(),
        title: "Live!".into(),
        owner: person(),
        ..Channel::default()
    }
}

fn message(number: usize) -> Message {
    Message {
        id: number.to_string().into(),
        channel: "6".into(),
        author: person(),
        text: "see http://a.example :wave: \u{1f600} \"quoted\"".into(),
        created_at: Some(now()),
        ..Message::default()
    }
}
