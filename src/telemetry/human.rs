//! Lines of the access log for people, where it goes to a terminal.

use serde_json::Value;

use std::fmt::Write as _;

/// The same lines, each with what somebody looks for who sits before them.
pub(super) fn lines(lines: &[u8]) -> String {
    let mut text = String::with_capacity(lines.len() / 4);
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(fields) => line_of(&fields, &mut text),
            Err(_) => text.push_str(&String::from_utf8_lossy(line)),
        }
        text.push('\n');
    }
    text
}

fn line_of(fields: &Value, text: &mut String) {
    let word = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or("-");
    let number = |name: &str| fields.get(name).and_then(Value::as_u64);
    // Of the time the day is known to whoever sits there.
    let time = word("time").split_once('T').map_or("-", |(_, time)| time.trim_end_matches('Z'));
    let status = number("status").map_or("---".to_owned(), |status| status.to_string());
    let millis = number("duration_us").unwrap_or_default() as f64 / 1000.0;
    let (method, path) = (word("method"), word("path"));
    let (partner, decision, id) = (word("partner"), word("decision"), word("request_id"));
    // Writing to a `String` cannot fail.
    let _ = write!(text, "{time} {status} {method} {path} {partner} {decision}");
    let codes = fields.get("codes").and_then(Value::as_array).into_iter().flatten();
    let mut reasons: Vec<&str> = codes.filter_map(Value::as_str).collect();
    if let (true, Some(rejection)) =
        (reasons.is_empty(), fields.get("rejection").and_then(Value::as_str))
    {
        reasons.push(rejection);
    }
    if !reasons.is_empty() {
        let _ = write!(text, " ({})", reasons.join(", "));
    }
    let _ = write!(text, " {millis:.1} ms {id}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_somebody_looks_for() {
        let log = br#"{"time":"2026-11-22T11:38:32.423Z","request_id":"r1","partner":"contoso","method":"PATCH","path":"/r/{id}","status":409,"decision":"refuse","codes":["transition-forbidden"],"rejection":"refused","duration_us":1936}
{"time":"2026-11-22T11:38:33.000Z","request_id":"r2","partner":null,"method":"GET","path":null,"status":null,"decision":null,"codes":[],"rejection":"unrouted","duration_us":40}
not JSON
"#;
        assert_eq!(
            lines(log),
            "11:38:32.423 409 PATCH /r/{id} contoso refuse (transition-forbidden) 1.9 ms r1\n\
             11:38:33.000 --- GET - - - (unrouted) 0.0 ms r2\nnot JSON\n"
        );
    }
}
