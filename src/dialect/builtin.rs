//! The mappings that are built into the binary.
//!
//! They are files like any other, only closer at hand: a file of the same name in the configured folder takes the
//! place of one. Compiling them is for `mapping`, and choosing among them for `app`.

use super::exchange::Dialect;
use super::mapping;
use crate::diagnose::Problems;

/// A dialect's name, its mapping's text and the schema beside it.
type Builtin = (&'static str, &'static str, Option<&'static str>);

macro_rules! builtin {
    ($($name:literal $(with $schema:literal)?),* $(,)?) => {
        &[$((
            $name,
            include_str!(concat!("../../mappings/", $name, ".toml")),
            builtin!(@schema $($schema)?),
        )),*]
    };
    (@schema) => { None };
    (@schema $schema:literal) => { Some(include_str!(concat!("../../mappings/", $schema))) };
}

/// Every built-in mapping, in the order in which people are told of them.
pub const BUILTIN: &[Builtin] = builtin![
    "keyauth",
    "rooms",
    "glimesh" with "glimesh.graphql",
    "socket",
    "chats",
    "slack",
    "discord",
    "matrix",
];

/// Compiles one built-in mapping.
///
/// # Errors
/// What is wrong with it; the tests keep that from happening.
pub fn compile(name: &str, source: &str, schema: Option<&str>) -> Result<Dialect, Box<Problems>> {
    mapping::load(name, &format!("mappings/{name}.toml"), source, schema)
}
