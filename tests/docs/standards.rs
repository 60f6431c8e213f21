//! What the standards ask: each line of the document is held by tests, and these are there.

use super::{code, test_name, text};

use regex::Regex;

use std::collections::BTreeSet;

#[test]
fn whatever_a_standard_asks_is_held_by_a_test_that_is_there() {
    let test = r"#\[(?:tokio::)?test[^\]]*\]\s+(?:async )?fn (\w+)\(";
    let code = code();
    let tests = Regex::new(test).expect("a pattern");
    let tests: BTreeSet<_> = tests.captures_iter(&code).map(|found| found[1].to_owned()).collect();
    let text = text("docs/standards.md");
    let mut rows = 0;
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [_, _, held] = cells[..] else { panic!("three cells: {line}") };
        if held == "tests" {
            continue;
        }
        rows += 1;
        for told in held.split(", ") {
            let name = told.strip_prefix('`').and_then(|told| told.strip_suffix('`'));
            assert!(name.is_some_and(|name| tests.contains(name)), "no test is called {told}");
        }
    }
    assert!(rows > 50, "{rows} rows");
    // Beside the tables, too.
    for found in test_name().captures_iter(&text) {
        assert!(tests.contains(&found[1]), "no test is called {}", &found[1]);
    }
}
