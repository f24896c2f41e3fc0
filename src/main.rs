//! The program: command line → run → exit code.
//!
//! Everything is in the library, so that tests can run all of it in their own process; see `cli` for what can be asked,
//! and `lib.rs` for the map of the rest.

use std::process::ExitCode;

fn main() -> ExitCode {
    sabir::cli::main()
}
