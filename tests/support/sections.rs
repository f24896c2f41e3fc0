//! What a golden case's sections say of the model: the command, the outcome and what surrounds them.

use sabir::model::record::{Slot, Type, Typed};
use sabir::model::*;

use super::case::Case;
use super::records::fill;

/// Everything that a case says of the model.
pub struct Records {
    pub command: Option<Command>,
    pub app: App,
    pub credential: Credential,
    pub arrival: Arrival,
    pub outcome: Option<Outcome>,
}

impl Records {
    pub fn read(case: &Case) -> Result<Records, String> {
        let command_section = case.table("command").transpose()?.unwrap_or_default();
        let mut command = None;
        for (key, value) in &command_section {
            if let Some(operation) = Operation::from_name(key) {
                let mut made = operation.command();
                fill(
                    made.slot_mut(),
                    operation.command_schema(),
                    value.as_table().ok_or("a command is a table")?,
                )?;
                command = Some(made);
            } else if !matches!(key.as_str(), "app" | "credential" | "arrival") {
                return Err(format!("unknown operation {key}"));
            }
        }
        let outcome_section = case.table("outcome").transpose()?.unwrap_or_default();
        let mut outcome = None;
        for (key, value) in &outcome_section {
            let table = value.as_table().ok_or("an outcome is a table")?;
            if key == "fault" {
                outcome = Some(Err(fault(table)?));
            } else if !matches!(key.as_str(), "app" | "credential" | "arrival") {
                let (mut reply, schema) = reply(key).ok_or(format!("unknown reply {key}"))?;
                fill(reply.slot_mut(), schema, table)?;
                outcome = Some(Ok(reply));
            }
        }
        let arrival = case.table("arrival").transpose()?.map(toml::Value::Table);
        let app = command_section
            .get("app")
            .or(outcome_section.get("app"))
            .cloned();
        let unnamed = toml::Value::Table("id = 'request-1'".parse().unwrap());
        let arrival = arrival.or(Some(unnamed));
        let separate = case.table("app").transpose()?.map(toml::Value::Table);
        Ok(Records {
            command,
            app: table_into(separate.as_ref().or(app.as_ref()))?,
            credential: table_into(command_section.get("credential"))?,
            arrival: table_into(command_section.get("arrival").or(arrival.as_ref()))?,
            outcome,
        })
    }
}

fn table_into<T: Slot + Typed + Default>(table: Option<&toml::Value>) -> Result<T, String> {
    let mut record = T::default();
    let Type::Record(schema) = T::TYPE else {
        unreachable!()
    };
    if let Some(toml::Value::Table(table)) = table {
        fill(&mut record, schema, table)?;
    }
    Ok(record)
}

fn fault(table: &toml::Table) -> Result<Fault, String> {
    let mut rest = table.clone();
    let kind = rest
        .remove("kind")
        .and_then(|kind| Kind::from_name(kind.as_str()?))
        .ok_or("a fault needs a kind")?;
    Ok(Fault {
        kind,
        origin: Origin::Client,
        details: Box::new(table_into(Some(&toml::Value::Table(rest)))?),
    })
}

fn reply(name: &str) -> Option<(Reply, &'static record::Schema)> {
    let replies: [(&str, Reply, &'static record::Schema); 11] = [
        ("done", Reply::Done(Done {}), schema::<Done>()),
        (
            "session",
            Reply::Session(Default::default()),
            schema::<Session>(),
        ),
        (
            "one_message",
            Reply::OneMessage(OneMessage::default()),
            schema::<OneMessage>(),
        ),
        (
            "messages",
            Reply::Messages(Messages::default()),
            schema::<Messages>(),
        ),
        (
            "one_channel",
            Reply::OneChannel(OneChannel::default()),
            schema::<OneChannel>(),
        ),
        (
            "channels",
            Reply::Channels(Channels::default()),
            schema::<Channels>(),
        ),
        (
            "one_person",
            Reply::OnePerson(OnePerson::default()),
            schema::<OnePerson>(),
        ),
        (
            "people",
            Reply::People(People::default()),
            schema::<People>(),
        ),
        (
            "moderation",
            Reply::Moderation(Default::default()),
            schema::<Moderation>(),
        ),
        (
            "moderations",
            Reply::Moderations(Moderations::default()),
            schema::<Moderations>(),
        ),
        (
            "participants",
            Reply::Participants(Participants::default()),
            schema::<Participants>(),
        ),
    ];
    replies
        .into_iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, reply, schema)| (reply, schema))
}
