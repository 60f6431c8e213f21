//! Alerts, dashboard, and the rotation of the access log: `deploy/prometheus`, `deploy/grafana`,
//! `deploy/logrotate`.

use crate::cli::process::{Finished, Gateway, ask, finish, gateway_file};
use crate::docs::text;
use crate::harness::eventually;

use regex::Regex;
use serde_json::Value;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const DASHBOARD: &str = "deploy/grafana/patchgate.json";

/// A file of YAML.
pub fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What has to be a text.
pub fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern")
}

fn promtool(arguments: &[&str]) -> String {
    let Finished { code, out, err } = finish(Command::new("promtool").args(arguments));
    assert_eq!(code, 0, "promtool {arguments:?}: {out}{err}");
    out
}

/// Every rule: those that record a number, and the alerts.
fn rules() -> Vec<Value> {
    let file = yaml(ALERTS);
    list(&file["groups"]).iter().flat_map(|group| list(&group["rules"]).to_vec()).collect()
}

/// The alerts, by their names.
fn alerts() -> BTreeMap<String, Value> {
    let rules = rules();
    let alerts: Vec<_> = rules.into_iter().filter(|rule| rule["alert"].is_string()).collect();
    let number = alerts.len();
    let named: BTreeMap<_, _> =
        alerts.into_iter().map(|alert| (word(&alert["alert"]).to_owned(), alert)).collect();
    assert!(named.len() == number && number > 25, "{number} alerts, some called the same");
    named
}

/// The dashboard, and its panels.
fn dashboard() -> (Value, Vec<Value>) {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).expect("JSON");
    let panels = list(&dashboard["panels"]).to_vec();
    assert!(panels.len() > 30);
    (dashboard, panels)
}

/// The queries of the dashboard, as Grafana sends them, each with where it stands.
fn queries() -> Vec<(String, String)> {
    let (dashboard, panels) = dashboard();
    let mut found = Vec::new();
    for panel in &panels {
        for target in list(&panel["targets"]) {
            found.push((word(&panel["title"]).to_owned(), word(&target["expr"]).to_owned()));
        }
    }
    for annotation in list(&dashboard["annotations"]["list"]) {
        if let Some(expr) = annotation["expr"].as_str() {
            found.push((word(&annotation["name"]).to_owned(), expr.to_owned()));
        }
    }
    for (_, expr) in &mut found {
        for (variable, value) in [
            ("$__rate_interval", "1m"),
            ("$__range", "1h"),
            ("$job", "patchgate"),
            ("$instance", ".*"),
            ("$route", ".*"),
        ] {
            *expr = expr.replace(variable, value);
        }
        assert!(!expr.contains('$'), "{expr} has a variable that is unknown");
    }
    found
}

/// The names of metrics in `expr`: what is no label, no function and no word of the language.
fn metrics(expr: &str) -> BTreeSet<String> {
    let mut rest = expr.to_owned();
    for other in [
        r#""[^"]*""#,
        r"\{[^}]*\}",
        r"\[[^\]]*\]",
        r"\b(?:by|on|ignoring|without)\s*\([^)]*\)",
        r"\boffset\s+\w+",
        r"\b[a-z_0-9]+\s*\(",
        r"\b(?:and|or|unless|sum|min|max|count)\b",
    ] {
        rest = pattern(other).replace_all(&rest, " ").into_owned();
    }
    let name = pattern(r"[a-zA-Z_:][a-zA-Z0-9_:]*");
    name.find_iter(&rest).map(|found| found.as_str().to_owned()).collect()
}

/// The metrics in the documentation, with the names that their series have.
fn documented() -> BTreeMap<String, Vec<String>> {
    let row = pattern(r"(?m)^\| `(\w+)` \| (\w+) \|");
    let text = text("docs/metrics.md");
    let series = |name: &str, kind: &str| match kind {
        "histogram" => ["bucket", "count", "sum"].map(|end| format!("{name}_{end}")).to_vec(),
        _ => vec![name.to_owned()],
    };
    row.captures_iter(&text).map(|row| (row[1].to_owned(), series(&row[1], &row[2]))).collect()
}

#[test]
fn promtool_finds_nothing_in_rules_and_scrape_configuration() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", ALERTS]);
    promtool(&["check", "config", "deploy/prometheus/prometheus.yml"]);
    let config = yaml("deploy/prometheus/prometheus.yml");
    assert_eq!(config["scrape_configs"][0]["job_name"], "patchgate", "the job of the alerts");
}

#[test]
fn every_alert_has_a_test_in_which_it_fires_and_does_not() {
    promtool(&["test", "rules", "deploy/prometheus/alerts.test.yaml"]);
    let file = yaml("deploy/prometheus/alerts.test.yaml");
    let (mut fires, mut quiet) = (BTreeSet::new(), BTreeSet::new());
    for case in list(&file["tests"]).iter().flat_map(|test| list(&test["alert_rule_test"])) {
        let name = word(&case["alertname"]).to_owned();
        let expected = case["exp_alerts"].as_array().expect("what is expected");
        let seen = if expected.is_empty() { &mut quiet } else { &mut fires };
        seen.insert(name);
    }
    let all: BTreeSet<_> = alerts().into_keys().collect();
    assert_eq!(fires, all, "each fires once");
    assert_eq!(quiet, all, "each does not once");
}

#[test]
fn every_alert_says_how_urgent_it_is_and_leads_to_its_page() {
    let text = text("docs/alerts.md");
    let heading = pattern(r"(?m)^### (\w+)$");
    let headings: Vec<_> = heading.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    let alerts = alerts();
    let told: BTreeSet<_> = headings.iter().cloned().collect();
    assert_eq!(told.len(), headings.len(), "each has one heading");
    assert_eq!(told, alerts.keys().cloned().collect::<BTreeSet<_>>());
    for (name, alert) in &alerts {
        assert!(name.starts_with("Patchgate"), "{name}");
        let severity = word(&alert["labels"]["severity"]);
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        let about = &alert["annotations"];
        for key in ["summary", "description"] {
            assert!(word(&about[key]).ends_with('.'), "{name}: {key} is a sentence");
        }
        let anchor = format!("docs/alerts.md#{}", name.to_lowercase());
        assert_eq!(about["runbook_url"], *anchor, "{name}");
        let (_, section) = text.split_once(&format!("### {name}\n")).expect("it has one");
        let section = section.split("\n## ").next().expect("a text");
        let section = section.split("\n### ").next().expect("a text");
        let parts = ["- **Look at** ", "- **Do** "];
        assert!(parts.iter().all(|part| section.contains(part)), "{name}: {section}");
    }
    // Where one leads to another.
    let link = pattern(r"\[(Patchgate\w+)\]\(#(\w+)\)");
    for found in link.captures_iter(&text) {
        assert!(alerts.contains_key(&found[1]), "{}", &found[1]);
        assert_eq!(found[1].to_lowercase(), found[2]);
    }
}

#[test]
fn every_query_of_the_dashboard_is_one_that_prometheus_understands() {
    let queries = queries();
    let record = |(number, (title, expr)): (usize, &(String, String))| {
        let about = serde_json::json!({ "panel": title.replace('`', "") });
        serde_json::json!({ "record": format!("query:{number}"), "expr": expr, "labels": about })
    };
    let rules: Vec<_> = queries.iter().enumerate().map(record).collect();
    let file = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let folder = tempfile::tempdir().expect("a folder");
    // JSON is YAML.
    let path = crate::cli::file(&folder, "dashboard.yaml", &file.to_string());
    let said = promtool(&["check", "rules", &path]);
    assert!(said.contains(&format!("{} rules found", queries.len())), "{said}");
}

#[test]
fn alerts_and_dashboard_ask_for_numbers_that_there_are_and_the_dashboard_for_all_of_them() {
    let documented = documented();
    assert!(documented.len() > 35, "{documented:?}");
    let mut known: BTreeSet<String> = documented.values().flatten().cloned().collect();
    // What Prometheus says of a target itself.
    known.insert("up".to_owned());
    let recorded = rules().into_iter().filter_map(|rule| Some(rule["record"].as_str()?.to_owned()));
    let recorded: BTreeSet<_> = recorded.collect();
    for rule in rules() {
        let asked = metrics(word(&rule["expr"]));
        assert!(!asked.is_empty(), "{rule}");
        let unknown = asked.iter().find(|name| !known.contains(*name) && !recorded.contains(*name));
        assert_eq!(unknown, None, "{rule}");
    }
    let mut shown = BTreeSet::new();
    for (title, expr) in queries() {
        let asked = metrics(&expr);
        assert!(!asked.is_empty(), "{title}: {expr}");
        let unknown = asked.iter().find(|name| !known.contains(*name));
        assert_eq!(unknown, None, "{title}: {expr}");
        shown.extend(asked);
    }
    for (name, series) in documented {
        assert!(series.iter().any(|name| shown.contains(name)), "{name} is on no panel");
    }
}

#[test]
fn the_dashboard_is_in_order() {
    let (dashboard, panels) = dashboard();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(39) && dashboard["uid"] == "patchgate");
    let variables = list(&dashboard["templating"]["list"]);
    let names: Vec<_> = variables.iter().map(|variable| word(&variable["name"])).collect();
    assert_eq!(names, ["datasource", "job", "instance", "route"]);
    let source = serde_json::json!({ "type": "prometheus", "uid": "${datasource}" });
    let asked = pattern(r"^label_values\((\w+)(?:\{[^}]*\})?, \w+\)$");
    let documented = documented();
    for variable in &variables[1..] {
        assert_eq!(variable["datasource"], source);
        let query = word(&variable["query"]["query"]);
        let metric = asked.captures(query).unwrap_or_else(|| panic!("{query}"));
        assert!(documented.contains_key(&metric[1]), "{query}");
    }
    let (mut ids, mut titles, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in &panels {
        let title = word(&panel["title"]);
        assert!(titles.insert(title) && !title.is_empty(), "`{title}` stands there twice");
        assert!(ids.insert(panel["id"].as_u64().expect("a number")), "{title}: its id is taken");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|k| panel["gridPos"][k].as_u64().expect(k));
        assert!(w > 0 && h > 0 && x + w <= 24, "{title}: it is wider than the dashboard");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{title}: it covers another at {cell:?}");
        }
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"], source, "{title}");
        assert!(word(&panel["description"]).len() > 20, "{title}: what is it?");
        assert!(!word(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(), "{title}: of what?");
        let targets = list(&panel["targets"]);
        assert!(!targets.is_empty(), "{title}");
        let named: BTreeSet<_> = targets.iter().map(|target| word(&target["refId"])).collect();
        assert_eq!(named.len(), targets.len(), "{title}: two queries are called the same");
        assert!(targets.iter().all(|target| target["datasource"] == source), "{title}");
    }
}

/// Has logrotate do what the shipped file says, with `folder` in the place of the one in it.
fn logrotate(folder: &tempfile::TempDir, switch: &str) {
    let here = folder.path().display().to_string();
    let shipped = text("deploy/logrotate/patchgate");
    assert!(shipped.contains("\n/var/log/patchgate/access.log {\n"));
    let config = shipped.replace("/var/log/patchgate", &here);
    let config = crate::cli::file(folder, "logrotate.conf", &config);
    let state = folder.path().join("state").display().to_string();
    let finished =
        finish(Command::new("/usr/sbin/logrotate").args([switch, "-s", &state, &config]));
    // An option that it does not know ends it with 0.
    let faults = finished.err.lines().any(|line| line.starts_with("error:"));
    assert!(finished.code == 0 && !faults, "{}", finished.err);
}

#[test]
fn logrotate_takes_the_access_log_away_while_it_is_written_and_leaves_the_audit_log_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (access, audit) = (at("access.log"), at("audit.log"));
    let keys = format!(
        "upstream: {{ url: sandbox }}\nlog: {{ access: {access} }}\naudit: {{ file: {audit} }}\n"
    );
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let lines = |path: &str| fs::read_to_string(path).map_or(0, |text| text.lines().count());
    let change = || {
        let request = "PATCH /v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
        let body = r#"[{"op":"replace","path":"/details/notes","value":"x"}]"#;
        assert_eq!(ask(gateway.address, request, &[], body).status, 204);
    };
    change();
    eventually("a line is written", || lines(&access) == 1);
    logrotate(&folder, "-d");
    logrotate(&folder, "-f");
    assert_eq!(lines(&access), 0, "it was emptied");
    change();
    eventually("it goes on at its beginning", || lines(&access) == 1);
    let names = fs::read_dir(folder.path()).expect("a folder");
    let names: Vec<_> = names
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    let beginning = |text: &str| names.iter().filter(|name| name.starts_with(text)).count();
    assert!(beginning("access.log") == 2 && beginning("audit.log") == 1, "{names:?}");
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);
    let verified = crate::cli::process::patchgate(&["audit", "verify", &audit]);
    assert!(verified.code == 0 && verified.out.contains("changes  2"), "{verified:?}");
}
