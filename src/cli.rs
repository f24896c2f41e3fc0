//! The command line: what a person asks of the program, and what it says back.
//!
//! It reads words and prints words; what is asked is done by `app`. Mistakes in a file are shown with their places,
//! everything else that goes wrong is one line on standard error and exit code 1.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::app::{self, operate};
use crate::config::{Config, Draft};
use crate::dialect::Dialect;

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
            let colour = std::io::stderr().is_terminal();
            eprintln!("{}", app::explained(&error, colour));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let draft = Draft::open(arguments.config.as_deref())?;
    if let Some(Asked::Dialects) = arguments.asked {
        return show_dialects(&app::dialects(draft.mappings().as_deref())?);
    }
    let (config, dialects) = app::read(&draft)?;
    for warning in config
        .warnings
        .iter()
        .chain(&app::expiry_warning(&config.listen))
    {
        eprintln!("warning: {warning}");
    }
    match arguments.asked.as_ref().unwrap_or(&Asked::Serve) {
        Asked::Serve => serve(arguments, &draft, &config, dialects),
        Asked::Check => check(&config, dialects),
        Asked::Send { to, text } => {
            println!("{}", operate::send(&config, dialects, to, text)?);
            Ok(())
        }
        Asked::List { from, limit } => {
            for line in operate::list(&config, dialects, from, *limit)? {
                println!("{line}");
            }
            Ok(())
        }
        Asked::Dialects => Ok(()),
    }
}

fn serve(
    arguments: &Arguments,
    draft: &Draft,
    config: &Config,
    dialects: Vec<Dialect>,
) -> Result<()> {
    let watch = app::Watch::new(draft.files());
    crate::log::events(&config.log)?;
    let examples = if config.demonstration {
        examples(config, &dialects)
    } else {
        String::new()
    };
    let running = app::start(config, dialects)?;
    let mut out = std::io::stdout().lock();
    let scheme = if running.tls { "https" } else { "http" };
    let url = format!("{scheme}://{}", running.public);
    let operator = format!("http://{}", running.admin);
    writeln!(out, "Sabir is listening at {url} (operator: {operator})")?;
    let examples = examples.replace("{operator}", &operator);
    write!(out, "{}", examples.replace("{url}", &url))?;
    out.flush()?;
    drop(out);
    // A file that was there at start is needed from then on: to lose it is a mistake, and no wish for a demonstration.
    let named = arguments.config.clone().or_else(|| draft.found());
    app::attend(&running, named, watch, config.watch)?;
    running.stop();
    running.wait()
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
    let mut text = format!(
        "\nThere is no configuration, so this is a demonstration. To write GraphQL, open {{operator}}/graphiql and give\n\
         it the token {}\nOr paste one of these:\n",
        account.token.0
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
            ("{username}", &account.person.name),
            ("{email}", &account.person.email),
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

/// Shows what goes with what, once everything that serving would build has been built.
fn check(config: &Config, dialects: Vec<Dialect>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let places = operate::pairs(config, dialects)?;
    writeln!(out, "The configuration is right.")?;
    for place in places {
        writeln!(out, "\nAt {}:", place.upstream)?;
        for pair in place.pairs {
            writeln!(out, "  {:<8} {}", pair.dialect, pair.what)?;
        }
    }
    Ok(())
}
