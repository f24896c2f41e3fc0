//! What is read: the configuration, and the dialects that are built in or in the operator's folder.
//!
//! Each is compiled from its mapping here, once for a configuration; what is wrong in a mapping is told with its place.

use std::path::Path;

use anyhow::{Context as _, Error, Result, anyhow};

use crate::config::{Config, ConfigError, Draft};
use crate::dialect::{Dialect, builtin, mapping};

/// Reads a configuration whole.
///
/// # Errors
/// A mapping that cannot be read, or every mistake in the configuration.
pub fn read(draft: &Draft) -> Result<(Config, Vec<Dialect>)> {
    let dialects = dialects(draft.mappings().as_deref())?;
    let names: Vec<&str> = dialects
        .iter()
        .map(|dialect| dialect.name.as_str())
        .collect();
    Ok((draft.read(&names)?, dialects))
}

/// What went wrong, as a person reads it: mistakes in a file with their places, everything else as a line.
pub fn explained(error: &Error, colour: bool) -> String {
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Mistakes(files)) => files
            .iter()
            .map(|problems| problems.report(colour))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => format!("sabir: {error:#}"),
    }
}

/// Compiles the built-in mappings and those of a folder, which replace built-in ones of the same name.
///
/// # Errors
/// A mapping that cannot be read, or what is wrong in it.
pub fn dialects(folder: Option<&Path>) -> Result<Vec<Dialect>> {
    let mut dialects: Vec<Dialect> = Vec::new();
    for (name, source, schema) in builtin::BUILTIN {
        let own = folder
            .map(|folder| folder.join(format!("{name}.toml")))
            .filter(|path| path.is_file());
        dialects.push(match own {
            Some(path) => from_file(name, &path)?,
            None => {
                builtin::compile(name, source, *schema).map_err(|problems| anyhow!("{problems}"))?
            }
        });
    }
    let Some(folder) = folder else {
        return Ok(dialects);
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the mappings in {}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "toml"))
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !dialects.iter().any(|dialect| dialect.name == name) {
            dialects.push(from_file(&name, &path)?);
        }
    }
    Ok(dialects)
}

fn from_file(name: &str, path: &Path) -> Result<Dialect> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the mapping {}", path.display()))
    };
    let schema = path.with_extension("graphql");
    let schema = if schema.is_file() {
        Some(read(&schema)?)
    } else {
        None
    };
    mapping::load(
        name,
        &path.display().to_string(),
        &read(path)?,
        schema.as_deref(),
    )
    .map_err(|problems| ConfigError::Mistakes(vec![*problems]).into())
}
