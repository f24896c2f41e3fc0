//! What a guided build learns from: every dialect, sent and listed at home and through every dialect as a client.
//!
//! The whole of `make dist` takes too long for every change; that all it asks is answered is seen here.

use std::process::Command;

use sabir::dialect::builtin::BUILTIN;

const SABIR: &str = env!("CARGO_BIN_EXE_sabir");

#[test]
fn everything_that_is_asked_is_answered() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/learn.py");
    let output = Command::new("python3")
        .args([script, SABIR, "2"])
        .output()
        .expect("python3 is there: `make test` installs it");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for (dialect, ..) in BUILTIN {
        assert_eq!(
            told.matches(dialect).count(),
            2,
            "as server and as client: {told}"
        );
    }
}
