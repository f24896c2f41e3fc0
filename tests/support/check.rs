//! A golden case held against a dialect: decoded, rendered, encoded and understood, as far as its role goes.

use http::StatusCode;
use sabir::dialect::Dialect;
use sabir::dialect::client::{Call, Heard, Understood};
use sabir::dialect::directory::{Directory, Found};
use sabir::dialect::fields::Fields;
use sabir::dialect::headers::Headers;
use sabir::dialect::server::{Draft, Told};
use sabir::dialect::wire::Incoming;
use sabir::model::record::{Slot, Type, Typed};
use sabir::model::*;

use super::case::{Case, Message, lines};
use super::records::{dump, show};
use super::sections::Records;

/// Everything that the case says, in the roles that it names.
pub fn check(dialect: &Dialect, case: &Case) -> Result<(), String> {
    let records = Records::read(case)?;
    let door = match &case.door {
        Some(name) => dialect.door(name).ok_or(format!("no door {name}"))?,
        None => 0,
    };
    let mut told = door;
    let mut exchange = None;
    if case.serves()
        && let Some(request) = case.message("request")
    {
        (exchange, told) = check_decode(dialect, case, &request, &records)?;
    }
    if case.serves()
        && let Some(reply) = case.message("reply")
    {
        check_render(dialect, &reply, &records, exchange, told)?;
    }
    if case.calls() && records.command.is_some() {
        check_client(dialect, case, &records, door)?;
    }
    Ok(())
}

fn check_decode(
    dialect: &Dialect,
    case: &Case,
    request: &Message,
    records: &Records,
) -> Result<(Option<usize>, usize), String> {
    let directory =
        Directory::new(std::slice::from_ref(dialect), &[0]).map_err(|clash| clash.to_string())?;
    let (path, query) = request
        .target()
        .split_once('?')
        .unwrap_or((request.target(), ""));
    let method = request.method();
    let refusal = case.table("refusal").transpose()?;
    let (door, candidates, segments) = match directory.find(&method, path) {
        Found::Exchanges {
            door,
            candidates,
            segments,
            ..
        } => (door, candidates, segments),
        Found::Method { door, allow, .. } => {
            let mut fault = Fault::client(Kind::Method, "").value(method.as_str());
            fault.details.allow = allow.into();
            return expect_refusal(refusal, &fault).map(|()| (None, door));
        }
        Found::Owned { door, .. } => {
            return expect_refusal(refusal, &Fault::client(Kind::Endpoint, ""))
                .map(|()| (None, door));
        }
        Found::Nobody => {
            // A client-only exchange has no server; then the case is for the client alone.
            return Err(format!("nobody answers at {path}"));
        }
    };
    let headers = Headers::from(&request.headers);
    let incoming = Incoming {
        method: &method,
        segments: &segments,
        query,
        headers: &headers,
        body: request.body.as_bytes(),
    };
    let mut command = Operation::CheckSession.command();
    let (mut app, mut credential) = Default::default();
    let mut draft = Draft::new(&mut command, &mut app, &mut credential);
    match (dialect.decode(&incoming, candidates, &mut draft), refusal) {
        (Ok(job), None) => {
            if let Some(wanted) = &records.command {
                same("kind of request", "Command", &format!("{:?}", job.ask))?;
                same(
                    "command",
                    wanted.operation().name(),
                    command.operation().name(),
                )?;
                let schema = wanted.operation().command_schema();
                same_lines(
                    "command",
                    &dump(wanted.slot(), schema),
                    &dump(command.slot(), schema),
                )?;
            }
            // The application's other facts are known to the configuration, not to the request.
            if records.app != App::default() {
                same("app's name", &records.app.name, &app.name)?;
                same("app's ownerid", &records.app.ownerid, &app.ownerid)?;
            }
            if records.credential != Credential::default() {
                same_lines(
                    "credential",
                    &dump_of(&records.credential),
                    &dump_of(&credential),
                )?;
            }
            Ok((Some(job.exchange), door))
        }
        (Ok(job), Some(_)) => Err(format!(
            "understood, but must be refused: {:?} {command:?}",
            job.ask
        )),
        (Err(refused), Some(wanted)) => {
            expect_refusal(Some(wanted), &refused.fault).map(|()| (refused.exchange, door))
        }
        (Err(refused), None) if records.command.is_none() && case.section("outcome").is_some() => {
            // [[refuse]]: a fault without a command.
            Ok((refused.exchange, door))
        }
        (Err(refused), None) => Err(format!("refused: {}", refused.fault)),
    }
}

fn dump_of<T: Slot + Typed>(record: &T) -> std::collections::BTreeMap<String, String> {
    let Type::Record(schema) = T::TYPE else {
        unreachable!()
    };
    dump(record, schema)
}

fn expect_refusal(wanted: Option<toml::Table>, got: &Fault) -> Result<(), String> {
    let Some(wanted) = wanted else {
        return Err(format!("refused: {got}"));
    };
    let text = |key: &str| wanted.get(key).and_then(toml::Value::as_str);
    same(
        "refusal's kind",
        text("kind").unwrap_or_default(),
        got.kind.name(),
    )?;
    if let Some(field) = text("field") {
        same("refusal's field", field, &got.details.field)?;
    }
    Ok(())
}

fn check_render(
    dialect: &Dialect,
    reply: &Message,
    records: &Records,
    exchange: Option<usize>,
    door: usize,
) -> Result<(), String> {
    let exchange = exchange.or_else(|| {
        let operation = records.command.as_ref()?.operation();
        dialect
            .exchanges_of(operation)
            .map(|(index, _)| index)
            .next()
    });
    let told = Told {
        door,
        exchange,
        command: records.command.as_ref(),
        arrival: &records.arrival,
        app: &records.app,
    };
    let rendered = match &records.outcome {
        Some(outcome) => dialect.render(&mut outcome.clone(), &told),
        None => dialect.render_answer(&told),
    };
    same(
        "reply's status",
        &reply.status().to_string(),
        rendered.status.as_str(),
    )?;
    for (name, value) in &reply.headers {
        let got = rendered
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default());
        same(
            &format!("reply's {name}"),
            value.to_str().unwrap_or_default(),
            got.unwrap_or("(absent)"),
        )?;
    }
    same(
        "reply's body",
        &reply.body,
        &String::from_utf8_lossy(&rendered.body),
    )
}

fn check_client(
    dialect: &Dialect,
    case: &Case,
    records: &Records,
    door: usize,
) -> Result<(), String> {
    let Some(command) = &records.command else {
        return Ok(());
    };
    let call = Call {
        door,
        command,
        arrival: &records.arrival,
        app: &records.app,
        credential: &records.credential,
    };
    let outgoing = dialect
        .encode(&call)
        .map_err(|why| format!("cannot be said: {why:?}"))?;
    if let Some(request) = case.message("request") {
        let got = &outgoing.request;
        same(
            "request line",
            &request.first.replace(" HTTP/1.1", ""),
            &format!("{} {}", got.method, String::from_utf8_lossy(got.target())),
        )?;
        for (name, value) in &request.headers {
            let sent = Fields(got.fields()).get(name);
            same(
                &format!("request's {name}"),
                value.to_str().unwrap_or_default(),
                sent.unwrap_or("(absent)"),
            )?;
        }
        same(
            "request's body",
            &request.body,
            &String::from_utf8_lossy(got.body()),
        )?;
    }
    let (Some(reply), Some(wanted)) = (case.message("reply"), &records.outcome) else {
        return Ok(());
    };
    let status = StatusCode::from_u16(reply.status()).map_err(|why| why.to_string())?;
    let heard = Heard {
        status,
        fields: Fields(&lines(&reply.headers)),
        body: reply.body.as_bytes(),
    };
    let got = dialect.understand(outgoing.exchange, &call, &heard);
    match (got, wanted) {
        (Understood::Done(got), Ok(wanted)) => {
            let schema = command.operation().reply_schema();
            // What the reply leaves out is filled from the command; a case need not list that.
            let filled = dump(Reply::prefilled(command).slot(), schema);
            let wanted = dump(wanted.slot(), schema);
            let mut got = dump(got.slot(), schema);
            got.retain(|path, value| {
                wanted.contains_key(path)
                    || !(filled.get(path) == Some(value) || path.ends_with("].channel"))
            });
            same_lines("outcome", &wanted, &got)
        }
        (Understood::Rejected(got), Err(wanted)) => {
            same("fault's kind", wanted.kind.name(), got.kind.name())?;
            let wait = |fault: &Fault| fault.details.retry_after.map(|wait| wait.to_string());
            let wanted = wait(wanted).unwrap_or_default();
            // What the reply says besides, a case need not list.
            let got = wait(&got).filter(|_| !wanted.is_empty());
            same("fault's time to wait", &wanted, &got.unwrap_or_default())
        }
        (Understood::Unclear(_), Err(wanted)) if wanted.kind == Kind::OutcomeUnknown => Ok(()),
        (got, wanted) => Err(format!("outcome\n wanted {wanted:?}\n got    {got:?}")),
    }
}

fn same(what: &str, wanted: &str, got: &str) -> Result<(), String> {
    if wanted == got {
        Ok(())
    } else {
        Err(format!("{what}\n wanted {wanted}\n got    {got}"))
    }
}

fn same_lines(
    what: &str,
    wanted: &std::collections::BTreeMap<String, String>,
    got: &std::collections::BTreeMap<String, String>,
) -> Result<(), String> {
    if wanted == got {
        Ok(())
    } else {
        Err(format!(
            "{what}\n wanted\n{} got\n{}",
            show(wanted),
            show(got)
        ))
    }
}
