//! The laws that hold for every exchange and every fault of every mapping (design R14), tried with values drawn from
//! their own placeholders and codecs. What a dialect cannot carry has no placeholder; there is no list of exceptions.
//!
//! 1. A command that is said in an exchange's words is understood as the same command.
//! 2. A reply that is rendered for an exchange is read as the same reply.
//! 3. A fault that is rendered is read as a fault of its kind, or of another kind that this mapping spells with the very
//!    same status and body: then the wire holds no more. One that is only written (`role = "server"`) is never read as
//!    a success. One that is only read (`role = "client"`) is read as its kind, by the same measure.

#[path = "laws/fill.rs"]
mod fill;
mod support;
#[path = "laws/values.rs"]
mod values;

use fill::Filler;
use http::StatusCode;
use sabir::dialect::client::{Call, Heard, Outgoing, Understood};
use sabir::dialect::directory::{Directory, Found};
use sabir::dialect::exchange::{Exchange, FaultForm, ReplyBody, Segment};
use sabir::dialect::fields::Fields;
use sabir::dialect::server::{Ask, Draft, Job, Told};
use sabir::dialect::template::{Root, Scope, Target};
use sabir::dialect::wire::Incoming;
use sabir::dialect::write::Writer;
use sabir::dialect::{Dialect, builtin};
use sabir::model::record::{Slot, Time};
use sabir::model::*;
use support::case::{lines, parts};
use support::records::{dump, show};
use values::{Chance, Place};

const CASES: u64 = 64;

macro_rules! laws {
    ($($name:ident),*) => { $(#[test] fn $name() { hold(stringify!($name)); })* };
}

laws!(
    keyauth, rooms, glimesh, socket, chats, slack, discord, matrix
);

fn hold(name: &str) {
    let (_, source, schema) = builtin::BUILTIN
        .iter()
        .find(|(known, ..)| *known == name)
        .unwrap();
    let dialect = builtin::compile(name, source, *schema).unwrap();
    let mut broken = Vec::new();
    for (index, exchange) in dialect.exchanges.iter().enumerate() {
        if let Some(operation) = exchange.operation() {
            let first = (0..CASES).find_map(|seed| {
                let case = Case::draw(&dialect, index, operation, seed);
                case.hold().err()
            });
            broken.extend(first.map(|why| format!("== {} [{index}]\n{why}", operation.name())));
        }
    }
    for form in &dialect.faults {
        broken.extend(hold_fault(&dialect, form).err());
    }
    assert!(
        broken.is_empty(),
        "{} broken:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

/// One exchange with everything that is said in it.
struct Case<'d> {
    dialect: &'d Dialect,
    index: usize,
    door: usize,
    command: Command,
    reply: Reply,
    arrival: Arrival,
    /// As the request names it, and as the configuration knows it.
    app: App,
    known: App,
    credential: Credential,
}

impl<'d> Case<'d> {
    fn draw(dialect: &'d Dialect, index: usize, operation: Operation, seed: u64) -> Case<'d> {
        let exchange = &dialect.exchanges[index];
        let mut filler = Filler {
            dialect,
            chance: Chance::new(seed),
            when: &exchange.when,
        };
        let doors = doors(dialect, exchange);
        let door = doors[filler.chance.count(0, doors.len() - 1)];
        let mut case = Case {
            dialect,
            index,
            door,
            command: operation.command(),
            reply: operation.reply(),
            arrival: Arrival {
                now: Some(Time::from_seconds(1_700_000_000)),
                host: "https://here.example".into(),
                target: "/asked?for=this".into(),
                client_ip: "192.0.2.7".into(),
                ..Arrival::default()
            },
            app: App::default(),
            known: App::default(),
            credential: Credential::default(),
        };
        case.draw_command(&mut filler, exchange);
        case.draw_reply(&mut filler, exchange);
        case
    }

    fn draw_command(&mut self, filler: &mut Filler<'d>, exchange: &'d Exchange) {
        let mut fault = Details::default();
        let mut target = Target {
            this: self.command.slot_mut(),
            item: None,
            arrival: Some(&mut self.arrival),
            app: Some(&mut self.app),
            credential: Some(&mut self.credential),
            fault: Some(&mut fault),
        };
        for (source, given) in &exchange.given {
            let record = target.record(source.root).unwrap();
            record.set(&source.path, given.value()).unwrap();
        }
        filler.path(&exchange.path, &mut target);
        filler.parts(&exchange.parts, &mut target);
        filler.parts(&exchange.shared, &mut target);
        let auth = self.dialect.auth.iter().filter(|auth| auth.role.calls());
        let auth: Vec<_> = auth.filter(|_| !exchange.own_credential).collect();
        if !auth.is_empty() {
            let chosen = filler.chance.count(0, auth.len() - 1);
            filler.parts(&auth[chosen].parts, &mut target);
        }
        filler.derive(&exchange.derive, &mut target);
        self.known = self.app.clone();
        for source in exchange
            .when
            .iter()
            .filter(|source| source.root == Root::App)
        {
            // What only the configuration knows is not in the request.
            let yes = Slot::set(&mut self.known, &source.path, record::Value::Bool(true));
            yes.unwrap();
        }
    }

    /// A reply holds at least what the command says: that is how it is read.
    fn draw_reply(&mut self, filler: &mut Filler<'d>, exchange: &'d Exchange) {
        let (mut arrival, mut app) = (self.arrival.clone(), self.known.clone());
        let (mut credential, mut fault) = (Credential::default(), Details::default());
        self.reply = Reply::prefilled(&self.command);
        if let ReplyBody::Json(template) | ReplyBody::Text(template) = &exchange.reply.body {
            let mut target = Target {
                this: self.reply.slot_mut(),
                item: None,
                arrival: Some(&mut arrival),
                app: Some(&mut app),
                credential: Some(&mut credential),
                fault: Some(&mut fault),
            };
            filler.template(template, Place::Whole, &mut target);
        }
        let channel = match &self.command {
            Command::List(asked) => &asked.channel,
            Command::Search(asked) => &asked.channel,
            Command::Get(asked) => &asked.channel,
            _ => return,
        };
        let messages = match &mut self.reply {
            Reply::Messages(list) => list.messages.as_mut_slice(),
            Reply::OneMessage(one) => std::slice::from_mut(&mut *one.message),
            _ => return,
        };
        for message in messages
            .iter_mut()
            .filter(|message| message.channel.is_empty())
        {
            message.channel = channel.clone();
        }
    }

    fn call(&self) -> Call<'_> {
        Call {
            door: self.door,
            command: &self.command,
            arrival: &self.arrival,
            app: &self.known,
            credential: &self.credential,
        }
    }

    fn hold(&self) -> Result<(), String> {
        let outgoing = self
            .dialect
            .encode_with(self.index, &self.call())
            .map_err(|why| format!("cannot be said: {why:?}\n{:?}", self.command))?;
        self.hold_command(&outgoing)
            .and_then(|()| self.hold_reply())
            .map_err(|why| {
                let request = &outgoing.request;
                let (target, body) = (request.target(), request.body());
                let [target, body] = [target, body].map(|part| String::from_utf8_lossy(part));
                format!("{why}\n of {} {target} {body}", request.method)
            })
    }

    fn hold_command(&self, outgoing: &Outgoing) -> Result<(), String> {
        let mut command = Operation::CheckSession.command();
        let (mut app, mut credential) = Default::default();
        let mut draft = Draft::new(&mut command, &mut app, &mut credential);
        let job = decode(self.dialect, self.index, self.door, outgoing, &mut draft)?;
        let key = draft.key();
        if job.ask != Ask::Command {
            return Err("understood as no command".into());
        }
        same(&self.command, &command)?;
        let wanted = (&self.app, &self.credential, &self.arrival.key);
        let got = (&app, &credential, &key);
        if wanted == got {
            Ok(())
        } else {
            Err(format!("{wanted:?}\n became {got:?}"))
        }
    }

    fn hold_reply(&self) -> Result<(), String> {
        let told = Told {
            door: self.door,
            exchange: Some(self.index),
            command: Some(&self.command),
            arrival: &self.arrival,
            app: &self.known,
        };
        let rendered = self.dialect.render(&mut Ok(self.reply.clone()), &told);
        let call = self.call();
        let body = &rendered.body;
        let heard = Heard {
            status: rendered.status,
            fields: Fields(&lines(&rendered.headers)),
            body,
        };
        match self.dialect.understand(self.index, &call, &heard) {
            Understood::Done(reply) if reply == self.reply => Ok(()),
            Understood::Done(reply) => {
                let schema = self.command.operation().reply_schema();
                let (wanted, got) = (dump(self.reply.slot(), schema), dump(reply.slot(), schema));
                let body = String::from_utf8_lossy(body);
                Err(format!(
                    "reply\n{}became\n{}by {body}",
                    show(&wanted),
                    show(&got)
                ))
            }
            other => Err(format!(
                "reply became {other:?}\nby {}",
                String::from_utf8_lossy(body)
            )),
        }
    }
}

fn same(wanted: &Command, got: &Command) -> Result<(), String> {
    if wanted == got {
        return Ok(());
    }
    let lines = |command: &Command| {
        let operation = command.operation();
        let lines = dump(command.slot(), operation.command_schema());
        format!("{}\n{}", operation.name(), show(&lines))
    };
    Err(format!("{}became {}", lines(wanted), lines(got)))
}

fn doors(dialect: &Dialect, exchange: &Exchange) -> Vec<usize> {
    (0..dialect.doors.len())
        .filter(|door| exchange.at_door(*door))
        .collect()
}

/// Through the directory, as any request comes; an exchange that is never served is read on its own.
fn decode(
    dialect: &Dialect,
    index: usize,
    door: usize,
    outgoing: &Outgoing,
    draft: &mut Draft<'_>,
) -> Result<Job, String> {
    let request = &outgoing.request;
    let (path, query, headers) = parts(request);
    let exchange = &dialect.exchanges[index];
    let own = [index];
    let directory = Directory::new(std::slice::from_ref(dialect), &[0]).unwrap();
    let (candidates, segments): (&[usize], Vec<&str>) = if exchange.role.serves() {
        match directory.find(&request.method, path) {
            Found::Exchanges {
                candidates,
                segments,
                ..
            } => (candidates, segments.to_vec()),
            other => return Err(format!("the directory says {other:?}")),
        }
    } else {
        let below = &path[dialect.doors[door].path.len()..];
        let segments = below.split('/').skip(1).zip(&exchange.path);
        let open = segments.filter(|(_, segment)| matches!(segment, Segment::Template(_)));
        (&own, open.map(|(text, _)| text).collect())
    };
    let incoming = Incoming {
        method: &request.method,
        segments: &segments,
        query,
        headers: &(&headers).into(),
        body: request.body(),
    };
    dialect
        .decode(&incoming, candidates, draft)
        .map_err(|refusal| format!("refused: {}", refusal.fault))
}

fn applies(form: &FaultForm, operation: Operation, door: usize) -> bool {
    (form.on.is_empty() || form.on.contains(&operation))
        && (form.doors.is_empty() || form.doors.contains(&door))
}

/// A form of fault, at every exchange that may have it.
fn hold_fault(dialect: &Dialect, form: &FaultForm) -> Result<(), String> {
    for (index, exchange) in dialect.exchanges.iter().enumerate() {
        let Some(operation) = exchange.operation() else {
            continue;
        };
        let doors = doors(dialect, exchange).into_iter();
        for door in doors.filter(|door| applies(form, operation, *door)) {
            for seed in 0..4 {
                let case = Case::draw(dialect, index, operation, seed);
                let case = Case { door, ..case };
                case.hold_fault(form, seed).map_err(|why| {
                    format!(
                        "== fault {} at {} [{index}]\n{why}",
                        form.kind.name(),
                        operation.name()
                    )
                })?;
            }
        }
    }
    Ok(())
}

impl Case<'_> {
    fn hold_fault(&self, form: &FaultForm, seed: u64) -> Result<(), String> {
        let fault = self.draw_fault(form, seed);
        let said = if form.role.serves() {
            self.say(&fault)
        } else {
            self.say_as(form, &fault)
        };
        let (status, body) = &said;
        let heard = Heard {
            status: *status,
            fields: Fields::default(),
            body,
        };
        let read = self.dialect.understand(self.index, &self.call(), &heard);
        let heard = match &read {
            Understood::Done(_) => false,
            _ if !form.role.calls() => true,
            Understood::Rejected(read) => read.kind == fault.kind || self.spells(read, &said),
            Understood::Unclear(_) => fault.kind == Kind::OutcomeUnknown,
        };
        if heard {
            return Ok(());
        }
        Err(format!(
            "{status} {} is read as {read:?}",
            String::from_utf8_lossy(body)
        ))
    }

    /// Has this mapping a form here that says the fault with these very bytes?
    fn spells(&self, fault: &Fault, said: &(StatusCode, Vec<u8>)) -> bool {
        let operation = self.command.operation();
        self.dialect.faults.iter().any(|form| {
            form.kind == fault.kind
                && applies(form, operation, self.door)
                && self.say_as(form, fault) == *said
        })
    }

    fn draw_fault(&self, form: &FaultForm, seed: u64) -> Fault {
        let mut details = Details::default();
        let mut nothing = Done::default();
        let (mut arrival, mut app) = (self.arrival.clone(), self.known.clone());
        let mut credential = Credential::default();
        let mut filler = Filler {
            dialect: self.dialect,
            chance: Chance::new(seed),
            when: &[],
        };
        if let ReplyBody::Json(template) | ReplyBody::Text(template) = &form.body {
            let mut target = Target {
                this: &mut nothing,
                item: None,
                arrival: Some(&mut arrival),
                app: Some(&mut app),
                credential: Some(&mut credential),
                fault: Some(&mut details),
            };
            filler.template(template, Place::Whole, &mut target);
        }
        if let Some(field) = &form.field {
            details.field = (&**field).into();
        }
        Fault {
            kind: form.kind,
            origin: Origin::Upstream,
            details: Box::new(details),
        }
    }

    /// What the server says; which form that is, is its own choice.
    fn say(&self, fault: &Fault) -> (StatusCode, Vec<u8>) {
        let told = Told {
            door: self.door,
            exchange: Some(self.index),
            command: Some(&self.command),
            arrival: &self.arrival,
            app: &self.known,
        };
        let rendered = self.dialect.render(&mut Err(fault.clone()), &told);
        (rendered.status, rendered.body.to_vec())
    }

    /// What another server of this dialect says in a form that ours never uses.
    fn say_as(&self, form: &FaultForm, fault: &Fault) -> (StatusCode, Vec<u8>) {
        let scope = Scope {
            fault: Some(&fault.details),
            ..Scope::new(&*fault.details, &self.arrival, &self.known)
        };
        let mut writer = Writer::new(&self.dialect.shapes, self.dialect.style);
        let mut text = String::new();
        match &form.body {
            ReplyBody::Json(template) => writer.json(template, &scope),
            ReplyBody::Text(template) => {
                writer.text(template, &scope, &mut text);
            }
            ReplyBody::Empty => {}
        }
        writer.out.extend_from_slice(text.as_bytes());
        let status = StatusCode::from_u16(form.status.unwrap_or(200)).unwrap();
        (status, writer.out)
    }
}

#[test]
fn a_list_that_a_reply_tells_replaces_the_one_that_was_sent() {
    let (name, source, schema) = builtin::BUILTIN[6];
    let discord = builtin::compile(name, source, schema).unwrap();
    let command = Command::Send(Message {
        channel: "1".into(),
        text: "look".into(),
        media: vec![Media {
            url: "https://x.example/1.png".into(),
            ..Media::default()
        }],
        ..Message::default()
    });
    let call = Call {
        door: 0,
        command: &command,
        arrival: &Arrival::default(),
        app: &App::default(),
        credential: &Credential::default(),
    };
    let sent = discord.encode(&call).unwrap();
    let body = br#"{"id":"7","channel_id":"1","content":"look","attachments":[]}"#;
    let heard = Heard {
        status: StatusCode::OK,
        fields: Fields::default(),
        body,
    };
    let read = discord.understand(sent.exchange, &call, &heard);
    let Understood::Done(Reply::OneMessage(one)) = read else {
        panic!("{read:?}")
    };
    assert!(one.message.media.is_empty());
}
