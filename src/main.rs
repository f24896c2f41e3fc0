//! The program: command line → run → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    sabir::cli::main()
}
