//! The results as JUnit XML, for whatever shows test results.

use super::Suite;
use super::judged::Judged;
use super::report::{expected, got, place};

use std::fmt::Write as _;
use std::time::Duration;

/// The XML of all suites.
pub(super) fn write(suites: &[Suite]) -> String {
    let all: Vec<&Judged> = suites.iter().flat_map(|suite| &suite.results).collect();
    let took = suites.iter().map(|suite| suite.took).sum();
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(xml, "<testsuites name=\"patchgate\" {}>", counts(all.iter().copied(), took));
    for suite in suites {
        let name = escaped(&suite.file.display().to_string());
        let counts = counts(suite.results.iter(), suite.took);
        let _ = writeln!(xml, "  <testsuite name=\"{name}\" {counts} skipped=\"0\" errors=\"0\">");
        for judged in &suite.results {
            let case = escaped(&judged.name);
            let _ = write!(
                xml,
                "    <testcase classname=\"{name}\" name=\"{case}\" time=\"{}\"",
                seconds(judged.took)
            );
            if judged.passed() {
                xml.push_str("/>\n");
                continue;
            }
            let wanted = escaped(&format!("expected {}", expected(&judged.expected)));
            let text = escaped(&format!("{}\ngot {}", place(suite, judged), got(&judged.got)));
            let _ = writeln!(
                xml,
                ">\n      <failure message=\"{wanted}\">{text}</failure>\n    </testcase>"
            );
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn counts<'j>(judged: impl Iterator<Item = &'j Judged> + Clone, took: Duration) -> String {
    let failures = judged.clone().filter(|judged| !judged.passed()).count();
    format!("tests=\"{}\" failures=\"{failures}\" time=\"{}\"", judged.count(), seconds(took))
}

fn seconds(took: Duration) -> String {
    format!("{:.6}", took.as_secs_f64())
}

/// `text` as it may stand in an attribute or an element; what XML has no place for is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            control if control.is_control() => escaped.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_ends_an_attribute_or_an_element() {
        let text = escaped("<a href=\"x\">&'\u{0}\u{7f}\u{ffff}\n");
        assert_eq!(text, "&lt;a href=&quot;x&quot;&gt;&amp;&apos;\u{fffd}\u{fffd}\u{fffd}&#10;");
    }
}
