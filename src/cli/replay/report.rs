//! What came of it, as text, JSON and HTML.

use super::tally::{Outcome, Tally};
use crate::cli::paint::Paint;

use serde_json::{Value, json};

use std::fmt::Write as _;
use std::time::Duration;

pub(super) fn text(tally: &Tally, took: Duration, paint: Paint) -> String {
    let mut text = String::new();
    for outcome in Outcome::ALL {
        let count = format!("{:>10}", tally.of(outcome));
        let count = match (outcome, tally.of(outcome)) {
            (_, 0) | (Outcome::Unchanged, _) => count,
            _ => paint.bad(&count),
        };
        let _ = writeln!(text, "{:<16}{count}", outcome.as_str());
    }
    for (name, count) in [("undecided then", tally.undecided), ("unreadable", tally.unreadable)] {
        if count > 0 {
            let _ = writeln!(text, "{name:<16}{count:>10}");
        }
    }
    let mut shown = None;
    for (group, count) in tally.sorted() {
        if shown != Some(group.outcome) {
            let _ = writeln!(text, "\n{}", group.outcome.as_str());
            shown = Some(group.outcome);
        }
        let (rule, why, partner, request) = (group.rule, group.why, &group.partner, &group.request);
        let (time, id) = &count.first;
        let _ = writeln!(text, "{:>10}  {rule}: {why}  {partner}  {request}", count.changes);
        let _ = writeln!(text, "            as {id} of {time}");
    }
    let rate = tally.records as f64 / took.as_secs_f64().max(0.001);
    let seconds = took.as_secs_f64();
    let _ = writeln!(text, "\n{} records in {seconds:.1} s, {rate:.0} a second", tally.records);
    text
}

pub(super) fn json(tally: &Tally) -> Value {
    let groups: Vec<Value> = tally
        .sorted()
        .into_iter()
        .map(|(group, count)| {
            json!({
                "outcome": group.outcome.as_str(),
                "rule": group.rule,
                "why": group.why,
                "partner": group.partner,
                "request": group.request,
                "changes": count.changes,
                "first": { "time": count.first.0, "request_id": count.first.1 },
            })
        })
        .collect();
    json!({
        "records": tally.records,
        "newly_refused": tally.of(Outcome::NewlyRefused),
        "newly_permitted": tally.of(Outcome::NewlyPermitted),
        "unchanged": tally.of(Outcome::Unchanged),
        "unknown": tally.of(Outcome::Unknown),
        "undecided": tally.undecided,
        "unreadable": tally.unreadable,
        "groups": groups,
    })
}

const STYLE: &str = "
:root { color-scheme: light dark; --line: light-dark(#d0d7de, #3d444d); --soft: light-dark(#57606a, #9198a1) }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; margin: 1.5rem 0 }
dl div { border: 1px solid var(--line); border-radius: 6px; padding: .75rem 1rem }
dt { color: var(--soft) } dd { font-size: 1.6rem; font-variant-numeric: tabular-nums; margin: 0 }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .75rem .4rem 0; text-align: left; vertical-align: top }
th { color: var(--soft); font-weight: 600 } .n { font-variant-numeric: tabular-nums; text-align: right }
code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
";

pub(super) fn html(tally: &Tally, policies: &str) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>patchgate replay</title>\n<style>{STYLE}</style>\n<main>\n<h1>Replay</h1>\n<p>{}</p>\n<dl>\n",
        escaped(policies)
    );
    let mut number = |name: &str, count: u64| {
        let _ = writeln!(page, "<div><dt>{name}</dt><dd>{count}</dd></div>");
    };
    number("records", tally.records);
    for outcome in Outcome::ALL {
        number(outcome.as_str(), tally.of(outcome));
    }
    number("undecided then", tally.undecided);
    number("unreadable", tally.unreadable);
    page.push_str("</dl>\n");
    for outcome in Outcome::ALL {
        let groups = tally.sorted();
        let mut groups =
            groups.into_iter().filter(|(group, _)| group.outcome == outcome).peekable();
        if groups.peek().is_none() {
            continue;
        }
        let _ = write!(
            page,
            "<h2>{}</h2>\n<table>\n<thead><tr><th class=\"n\">changes</th><th>rule</th><th>why</th><th>partner</th><th>request</th><th>the first one</th></tr></thead>\n<tbody>\n",
            outcome.as_str()
        );
        for (group, count) in groups {
            let _ = writeln!(
                page,
                "<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}</td><td><code>{}</code></td><td><code>{}</code><br>{}</td></tr>",
                count.changes,
                group.rule,
                group.why,
                escaped(&group.partner),
                escaped(&group.request),
                escaped(&count.first.1),
                escaped(&count.first.0),
            );
        }
        page.push_str("</tbody>\n</table>\n");
    }
    page.push_str("</main>\n");
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
