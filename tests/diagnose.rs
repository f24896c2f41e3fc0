//! Problems in any text: whatever the spans, the report is made and stays within the text.

use proptest::prelude::*;
use sabir::diagnose::Problems;

#[test]
fn a_report_shows_the_line_the_place_and_what_to_do() {
    let mut problems = Problems::new("a.toml", "[lisen]\nport = 1\n");
    problems.at(8..12, "unknown key `port`", "did you mean `public`?");
    problems.at(1..6, "unknown table `lisen`", "did you mean `listen`?");
    let told = problems.finish(()).unwrap_err().to_string();
    assert_eq!(
        told,
        "  × unknown table `lisen`
   ╭─[a.toml:1:2]
 1 │ [lisen]
   ·  ─────
   ╰────
  help: did you mean `listen`?

  × unknown key `port`
   ╭─[a.toml:2:1]
 2 │ port = 1
   · ────
   ╰────
  help: did you mean `public`?

2 problems in a.toml"
    );
}

#[test]
fn a_hidden_secret_is_in_no_report() {
    let text = "password = \"höhö\" # not here\n";
    let mut problems = Problems::new("a.toml", text);
    problems.hide(11..19);
    problems.at(0..8, "wrong", "");
    let told = problems.to_string();
    assert!(!told.contains("hö"), "{told}");
    assert!(told.contains("password = ******** # not here"), "{told}");
    assert!(!format!("{problems:?}").contains("hö"));
}

#[test]
fn no_problem_gives_the_value() {
    assert_eq!(Problems::new("a", "b").finish(7).ok(), Some(7));
}

proptest! {
    #[test]
    fn any_span_of_any_text_can_be_told(text in "(?s).{0,40}", start in 0..60usize, end in 0..60usize) {
        let mut problems = Problems::new("any", text);
        #[allow(clippy::reversed_empty_ranges, reason = "such a span is what is tried")]
        problems.at(start..end, "wrong", "mend it");
        problems.hide(start..end);
        let place = problems.place(start);
        prop_assert!(place.starts_with("any:"));
        prop_assert!(problems.report(true).contains("wrong"));
        prop_assert!(problems.to_string().ends_with("1 problem in any"));
    }
}
