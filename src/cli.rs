//! The command line: what a person asks of the program, and what it says back.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::app::{self, Parts};
use crate::config::{Config, ConfigError, Draft};
use crate::dialect::Dialect;
use crate::gateway::Carried;
use crate::ingress::arrival;
use crate::model::{
    Arrival, Command, List, Message, Messages, OneMessage, Operation, Person, Reply, Time, Window,
};
use crate::relay::Relay;
use crate::route::LOCAL;
use crate::store::{Sqlite, Store};

/// Sabir answers one chat API with another: point a client at it, and another chat service carries out what it asks.
///
/// Without a configuration it serves every dialect on 127.0.0.1:8080 and keeps the messages itself, so that you can try
/// it at once.
#[derive(Debug, Parser)]
#[command(name = "sabir", version)]
struct Arguments {
    /// The configuration [default: sabir.toml, if there is one]
    #[arg(long, short, global = true, value_name = "FILE", env = "SABIR_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    asked: Option<Asked>,
}

#[derive(Debug, Subcommand)]
enum Asked {
    /// Run until told to stop (the default)
    Serve,
    /// Read the configuration, say what is wrong with it, and show what each dialect can do at each upstream
    Check,
    /// Send one message, as an operator: sabir send far:6 "hello"
    Send {
        /// An upstream of the configuration, or `local`, and a channel there
        #[arg(value_name = "UPSTREAM:CHANNEL")]
        to: String,
        text: String,
    },
    /// Show the newest messages of a channel: sabir list far:6
    List {
        /// An upstream of the configuration, or `local`, and a channel there
        #[arg(value_name = "UPSTREAM:CHANNEL")]
        from: String,
        /// How many at most
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u16,
    },
    /// Show the dialects that Sabir speaks, and where each is served
    Dialects,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", explained(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error as a person reads it: mistakes in a file with their places, everything else as a line.
fn explained(error: &anyhow::Error) -> String {
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Mistakes(files)) => {
            let colour = std::io::stderr().is_terminal();
            files
                .iter()
                .map(|problems| problems.report(colour))
                .collect::<Vec<_>>()
                .join("\n")
        }
        _ => format!("sabir: {error:#}"),
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let draft = Draft::open(arguments.config.as_deref())?;
    let dialects = app::dialects(draft.mappings().as_deref())?;
    if let Some(Asked::Dialects) = arguments.asked {
        return show_dialects(&dialects);
    }
    let names: Vec<&str> = dialects
        .iter()
        .map(|dialect| dialect.name.as_str())
        .collect();
    let config = draft.read(&names)?;
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    match arguments.asked.as_ref().unwrap_or(&Asked::Serve) {
        Asked::Serve => serve(&config, dialects),
        Asked::Check => check(&config, dialects),
        Asked::Send { to, text } => {
            let message = Message {
                text: text.as_str().into(),
                ..Message::default()
            };
            operate(&config, dialects, to, |channel, now| {
                Command::Send(Message {
                    channel: channel.into(),
                    created_at: Some(now),
                    ..message
                })
            })
        }
        Asked::List { from, limit } => operate(&config, dialects, from, |channel, _| {
            let window = Window {
                limit: Some(i64::from(*limit)),
                ..Window::default()
            };
            Command::List(List {
                channel: channel.into(),
                window,
                ..List::default()
            })
        }),
        Asked::Dialects => Ok(()),
    }
}

fn serve(config: &Config, dialects: Vec<Dialect>) -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("SABIR_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let examples = if config.demonstration {
        examples(config, &dialects)
    } else {
        String::new()
    };
    let running = app::start(config, dialects)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "Sabir is listening at http://{} (operator: http://{})",
        running.public, running.admin
    )?;
    write!(
        out,
        "{}",
        examples.replace("{url}", &format!("http://{}", running.public))
    )?;
    out.flush()?;
    drop(out);
    until_told_to_stop()?;
    running.stop();
    running.wait()
}

/// Waits for the first signal to stop; the second ends the process at once.
#[expect(
    clippy::exit,
    reason = "a person who asks twice does not want to wait for what is in flight"
)]
fn until_told_to_stop() -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        Ok::<(), std::io::Error>(())
    })?;
    std::thread::Builder::new()
        .name("second-signal".into())
        .spawn(move || {
            runtime.block_on(async {
                let _ = tokio::signal::ctrl_c().await;
                std::process::exit(130);
            });
        })?;
    Ok(())
}

/// The mappings' own examples, with what the demonstration made up.
fn examples(config: &Config, dialects: &[Dialect]) -> String {
    let (Some(account), Some(application), Some(channel)) = (
        config.accounts.first(),
        config.applications.first(),
        config.channels.first(),
    ) else {
        return String::new();
    };
    let ownerid = application
        .keyauth
        .as_ref()
        .map_or("", |facts| &facts.ownerid);
    let secret = application.socket.as_ref().map_or("", |secret| &secret.0);
    let mut text = String::from(
        "\nThere is no configuration, so this is a demonstration. Paste one of these:\n",
    );
    for dialect in dialects
        .iter()
        .filter(|dialect| !dialect.example.is_empty())
    {
        let channel = channel.ids.get(&dialect.name).unwrap_or(&channel.name);
        let filled = [
            ("{name}", application.name.as_str()),
            ("{ownerid}", ownerid),
            ("{secret}", secret),
            ("{username}", &account.name),
            ("{email}", &account.email),
            ("{password}", &account.password.0),
            ("{license}", &account.license.0),
            ("{token}", &account.token.0),
            ("{channel}", channel),
        ]
        .iter()
        .fold(dialect.example.clone(), |text, (name, value)| {
            text.replace(name, value)
        });
        text.push_str(&format!(
            "\n# {}: {}\n{filled}\n",
            dialect.name, dialect.about
        ));
    }
    text.push('\n');
    text
}

fn show_dialects(dialects: &[Dialect]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for dialect in dialects {
        writeln!(out, "{:<8} {}", dialect.name, dialect.about)?;
        for door in &dialect.doors {
            let at = if door.path.is_empty() {
                door.owns.join(" ")
            } else {
                door.path.to_string()
            };
            writeln!(out, "         door {:<8} {at}", door.name)?;
        }
    }
    Ok(())
}

/// Builds everything that serving would build, runs nothing, and shows what goes with what.
fn check(config: &Config, dialects: Vec<Dialect>) -> Result<()> {
    let store = Scratch::open()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let parts = runtime.block_on(app::build_on(store.store.clone(), config, dialects))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "The configuration is right.")?;
    let names = std::iter::once(LOCAL).chain(config.upstreams.keys().map(|name| name.as_str()));
    for upstream in names {
        writeln!(out, "\nAt {upstream}:")?;
        for (index, dialect) in parts.doors.dialects.iter().enumerate() {
            if config.listen.dialects.has(&dialect.name)
                && parts.doors.dialects[index].serves(Operation::Send)
            {
                writeln!(
                    out,
                    "  {:<8} {}",
                    dialect.name,
                    pair(&parts, dialect, upstream)
                )?;
            }
        }
    }
    Ok(())
}

/// What clients of a dialect can ask of an upstream, and what not.
fn pair(parts: &Parts, dialect: &Dialect, upstream: &str) -> String {
    let mut ways: [(Carried, Vec<&str>); 3] = [
        (Carried::Native, Vec::new()),
        (Carried::Emulated, Vec::new()),
        (Carried::Refused, Vec::new()),
    ];
    for operation in Operation::ALL
        .iter()
        .filter(|operation| dialect.serves(**operation))
    {
        let carried = Carried::of(&parts.shared, upstream, *operation);
        if let Some((_, names)) = ways.iter_mut().find(|(way, _)| Some(*way) == carried) {
            names.push(operation.name());
        }
    }
    let told = ways.iter().filter(|(_, names)| !names.is_empty());
    told.map(|(way, names)| format!("{}: {}", way.name(), names.join(" ")))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Carries out one command for the operator and shows what comes of it.
fn operate(
    config: &Config,
    dialects: Vec<Dialect>,
    place: &str,
    command: impl FnOnce(&str, Time) -> Command,
) -> Result<()> {
    let (upstream, channel) = place
        .split_once(':')
        .ok_or_else(|| anyhow!("`{place}` is not UPSTREAM:CHANNEL"))?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let scratch;
        let parts = if upstream == LOCAL {
            app::build(config, dialects).await?
        } else {
            scratch = Scratch::open()?;
            app::build_on(scratch.store.clone(), config, dialects).await?
        };
        let now = arrival::now();
        let arrival = Arrival {
            id: arrival::id(),
            now: Some(now),
            ..Arrival::default()
        };
        let operator = Person {
            id: "sabir".into(),
            name: "sabir".into(),
            ..Person::default()
        };
        let mut command = command(channel, now);
        let outcome = match parts.shared.find(upstream) {
            None if upstream == LOCAL => {
                if let Command::Send(message) = &mut command {
                    message.author = operator.clone();
                }
                parts.shared.local.carry_out(&command, &operator).await
            }
            None => {
                let known: Vec<&str> = config.upstreams.keys().map(|name| name.as_str()).collect();
                bail!(
                    "there is no upstream {upstream}; known: local {}",
                    known.join(" ")
                )
            }
            Some(at) => {
                Relay::new(parts.shared.clone())?
                    .call(at, command, &arrival, "sabir", None)
                    .await
            }
        };
        show(outcome.map_err(|fault| anyhow!("{fault}"))?)
    })
}

fn show(reply: Reply) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let messages = match reply {
        Reply::OneMessage(OneMessage { message }) => {
            writeln!(
                out,
                "sent{}{}",
                if message.id.is_empty() { "" } else { ", id " },
                message.id
            )?;
            return Ok(());
        }
        Reply::Messages(Messages { messages, .. }) => messages,
        _ => Vec::new(),
    };
    for message in messages {
        let at = message
            .created_at
            .and_then(|time| jiff::Timestamp::from_second(time.seconds()).ok());
        let at = at.map(|at| at.to_string()).unwrap_or_default();
        let author = if message.author.name.is_empty() {
            &message.author.id
        } else {
            &message.author.name
        };
        writeln!(out, "{at}  {author}: {}", message.text)?;
    }
    Ok(())
}

/// A store for a command that keeps nothing; it is gone afterwards.
struct Scratch {
    store: Arc<dyn Store>,
    folder: PathBuf,
}

impl Scratch {
    fn open() -> Result<Scratch> {
        let folder = std::env::temp_dir().join(format!("sabir-{}", arrival::id()));
        std::fs::create_dir(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(crate::store::Config::new(
            folder.join("scratch.db"),
        ))?);
        Ok(Scratch { store, folder })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind, it is a few kilobytes in the folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
