//! What the operator of a running gateway sees, and may change.

use super::file;
use super::process::{Answer, Gateway, ask, gateway_file};
use crate::docs::rows;
use crate::harness::{Act, Authority, Daemon, Redis, Upstream, answer, eventually};

use serde_json::Value;

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

const PATCH: &str = "PATCH /v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;
const SANDBOX: &str = "upstream: { url: sandbox }\n";

/// What the gateway says of `series`, if it says anything.
fn number(gateway: &Gateway, series: &str) -> Option<f64> {
    let Answer { status, body } = ask(gateway.admin, "GET /metrics", &[], "");
    assert_eq!(status, 200);
    let mut found = body.lines().filter_map(|line| line.rsplit_once(' '));
    found.find(|(name, _)| *name == series).map(|(_, number)| number.parse().expect("a number"))
}

fn counts(gateway: &Gateway, series: &str, wanted: f64) {
    eventually(&format!("{series} is {wanted}"), || number(gateway, series) == Some(wanted));
}

#[test]
fn every_request_that_is_documented_is_answered_and_callers_are_told_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::run(&gateway_file(&folder, SANDBOX));
    let documented = rows("docs/operating.md", "# Operating the gateway");
    assert!(documented.len() >= 8);
    // What never ends is in `tests/browser.rs`.
    for line in documented.keys().filter(|line| *line != "GET /events") {
        let body = match line.as_str() {
            "POST /explain" => r#"{"route":"update-referral","body":"[]"}"#,
            "PUT /loglevel" => "info",
            _ => "",
        };
        let Answer { status, .. } = ask(gateway.admin, line, &[], body);
        assert_eq!(status, 200, "{line}");
        let answer = ask(gateway.address, line, &[], body);
        assert_eq!(answer.status, 404, "{line}");
    }
}

#[test]
fn a_reload_shows_in_the_numbers_whatever_comes_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = gateway_file(&folder, &format!("{SANDBOX}reload: {{ watch: false }}"));
    let gateway = Gateway::run(&config);
    let version = || -> Value {
        serde_json::from_str(&ask(gateway.admin, "GET /version", &[], "").body).expect("JSON")
    };
    let in_force = |version: &Value| {
        let (policy, digest) = (&version["policy"], &version["digest"]);
        number(&gateway, &format!("patchgate_policy_info{{policy={policy},digest={digest}}}"))
    };
    let first = version();
    assert_eq!(in_force(&first), Some(1.0));
    let sound = fs::read_to_string(&config).expect("a file");
    fs::write(
        &config,
        format!("{sound}\nlimits: {{ tiers: {{ standard: {{ requests: [much] }} }} }}\n"),
    )
    .expect("a file");
    assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 422);
    let last = "patchgate_config_last_reload_successful";
    assert_eq!(number(&gateway, last), Some(0.0));
    assert_eq!(number(&gateway, r#"patchgate_reloads_total{result="refused"}"#), Some(1.0));
    assert_eq!((version(), in_force(&first)), (first.clone(), Some(1.0)));

    let other = format!("{sound}\nlimits: {{ tiers: {{ standard: {{ requests: [7/1s] }} }} }}\n");
    fs::write(&config, other).expect("a file");
    assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 200);
    assert_eq!(number(&gateway, last), Some(1.0));
    assert_eq!(number(&gateway, r#"patchgate_reloads_total{result="taken"}"#), Some(1.0));
    assert_eq!((in_force(&first), in_force(&version())), (None, Some(1.0)));
    let when = number(&gateway, "patchgate_config_last_reload_success_timestamp_seconds");
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
    assert!(when.is_some_and(|when| (now - 60.0..=now).contains(&when)), "{when:?}");
    // The configuration as it is in force.
    let config: Value =
        serde_json::from_str(&ask(gateway.admin, "GET /config", &[], "").body).expect("JSON");
    assert_eq!(config["limits"]["tiers"]["standard"]["requests"][0], "7/1s");
    assert_eq!(config["timeouts"]["header"], "10s", "with its defaults");
}

#[test]
fn certificates_tokens_and_the_store_show_in_the_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let write = |year: i32| {
        let ends = rcgen::date_time_ymd(year, 1, 1);
        let (certificate, key) = authority.pair_with("localhost", |params| params.not_after = ends);
        file(&folder, "key.pem", &key);
        file(&folder, "cert.pem", &certificate);
    };
    write(2031);
    file(&folder, "secret", "s3cr3t-m4rk");
    let token = r#"{"access_token":"t0k3n-m4rk","token_type":"Bearer","expires_in":3600}"#;
    let endpoint = Upstream::start([
        Act::Answer(answer("500 Internal Server Error", "", "")),
        Act::Answer(answer("200 OK", "", token)),
    ]);
    let mut redis = Redis::start();
    let keys = format!(
        "{SANDBOX}tls: {{ certificate: cert.pem, key: key.pem }}\nreload: {{ watch: false }}\n\
         credentials:\n  api:\n    oauth:\n      grant: client_credentials\n      \
         token_url: http://{}/token\n      client_id: id\n      client_secret: ${{file:secret}}\n\
         limits: {{ store: {{ url: \"redis://127.0.0.1:{}\" }} }}\n",
        endpoint.address, redis.port
    )
    .replace("{ url: sandbox }", "{ url: sandbox, credentials: api }");
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let ends = r#"patchgate_certificate_expiry_timestamp_seconds{shown_to="callers"}"#;
    assert_eq!(number(&gateway, ends), Some(1_924_992_000.0));
    write(2032);
    assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 200);
    assert_eq!(number(&gateway, ends), Some(1_956_528_000.0));

    for (result, wanted) in [("granted", 1.0), ("failed", 1.0)] {
        let labels = format!("credential=\"api\",result=\"{result}\"");
        counts(&gateway, &format!("patchgate_credential_requests_total{{{labels}}}"), wanted);
    }
    let up = "patchgate_limits_store_up{}";
    counts(&gateway, up, 1.0);
    redis.kill();
    counts(&gateway, up, 0.0);
    let verbose = ask(gateway.admin, "GET /readyz?verbose", &[], "");
    assert_eq!(verbose.status, 200, "nothing of it makes the gateway less ready");
    let verbose: Value = serde_json::from_str(&verbose.body).expect("JSON");
    assert_eq!(verbose["store"], false);
    let end = serde_json::json!({ "ends": 1_956_528_000, "over": false });
    assert_eq!(verbose["certificates"]["callers"], end);
}

#[test]
fn the_level_of_events_is_changed_while_the_gateway_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::run(&gateway_file(
        &folder,
        &format!("{SANDBOX}bounds: {{ connections_per_address: 1 }}"),
    ));
    let level = || ask(gateway.admin, "GET /loglevel", &[], "").body;
    let set = |text: &str| ask(gateway.admin, "PUT /loglevel", &[], text);
    assert_eq!(level(), "info\n");
    let refused = set("patchgate=nonsense=x");
    assert_eq!((refused.status, level()), (422, "info\n".to_owned()));
    assert!(refused.body.contains("patchgate=debug"), "it says what would do: {}", refused.body);
    assert_eq!(set(&"x".repeat(5000)).status, 413);
    assert_eq!(set("off").status, 200);
    assert_eq!(ask(gateway.admin, "POST /reload", &[], "").status, 200, "which is not told of");
    assert_eq!(
        (set("patchgate=debug,warn").status, level()),
        (200, "patchgate=debug,warn\n".into())
    );
    // That an address has too many connections is told of at this level alone.
    let two = [(); 2].map(|()| TcpStream::connect(gateway.address).expect("a connection"));
    let changed = gateway.process.err.event("the level of events was changed");
    assert_eq!(changed["filter"], "patchgate=debug,warn", "the reload before it was not told of");
    let told = gateway.process.err.event("an address has too many connections");
    assert_eq!(told["level"], "DEBUG");
    drop(two);
}

/// What Prometheus knows of `series`.
fn stored(prometheus: SocketAddr, series: &str) -> Option<String> {
    let series = series.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
    let said = ask(prometheus, &format!("GET /api/v1/query?query={series}"), &[], "").body;
    let said: Value = serde_json::from_str(&said).ok()?;
    Some(said["data"]["result"][0]["value"][1].as_str()?.to_owned())
}

#[test]
fn prometheus_takes_the_numbers_and_its_linter_finds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::run(&gateway_file(&folder, SANDBOX));
    assert_eq!(ask(gateway.address, PATCH, &[], NOTE).status, 204);
    assert_eq!(ask(gateway.address, PATCH, &[], "[").status, 400);
    let prometheus = Daemon::prometheus(gateway.admin);
    let address = SocketAddr::from(([127, 0, 0, 1], prometheus.port));
    eventually("it has scraped", || stored(address, "up").as_deref() == Some("1"));
    let labels = r#"{decision="refuse",status="4xx"}"#;
    let refused = stored(address, &format!("patchgate_requests_total{labels}"));
    assert_eq!(refused.as_deref(), Some("1"));

    let plain = ask(gateway.admin, "GET /metrics", &[], "").body;
    let mut linter = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    linter.stdin.take().expect("a pipe").write_all(plain.as_bytes()).expect("it is read");
    let linted = linter.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&linted.stderr);
    assert!(linted.status.success() && said.is_empty(), "{said}");
}

#[test]
fn what_callers_do_shows_in_the_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::run(&gateway_file(&folder, SANDBOX));
    assert_eq!(ask(gateway.address, PATCH, &[], NOTE).status, 204);
    let labels = r#"route="update-referral",method="PATCH",status="2xx",decision="permit""#;
    counts(&gateway, &format!("patchgate_requests_total{{{labels}}}"), 1.0);
    let Answer { body, .. } = ask(gateway.admin, "GET /metrics", &[], "");
    assert!(body.contains("# TYPE patchgate_requests_total counter\n"));
    let newer = "Accept: application/openmetrics-text; version=1.0.0";
    assert!(ask(gateway.admin, "GET /metrics", &[newer], "").body.ends_with("# EOF\n"));
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("patchgate_build_info{{version=\"{version}\"}}");
    assert_eq!(number(&gateway, &build), Some(1.0));
    assert!(number(&gateway, "process_cpu_seconds_total").is_some_and(|seconds| seconds > 0.0));
}

#[test]
fn on_a_terminal_the_access_log_and_the_events_are_for_people() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = port.local_addr().expect("an address");
    drop(port);
    let keys = format!("{SANDBOX}listen: {address}\nlog: {{ access: stdout }}");
    let config = gateway_file(&folder, &keys);
    let seen = folder.path().join("seen");
    // `script` has it write to a terminal, and writes down what it writes.
    let pid = folder.path().join("pid");
    let program = super::process::PROGRAM;
    let line = format!("echo $$ > {}; exec {program} run --config {config}", pid.display());
    let mut terminal = Command::new("script")
        .args(["-qefc", &line])
        .arg(&seen)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("script");
    eventually("it listens", || TcpStream::connect(address).is_ok());
    assert_eq!(ask(address, PATCH, &[], "[]").status, 422);
    let text = || fs::read_to_string(&seen).unwrap_or_default();
    eventually("a line is written", || text().contains(" 422 PATCH "));
    let text = text();
    let pid = fs::read_to_string(pid).expect("a number");
    let stop = Command::new("bash").args(["-c", &format!("kill {pid}")]).status();
    assert!(stop.expect("bash").success() && terminal.wait().expect("an end").success());
    assert!(
        text.contains("/v1.0/engagements/referrals/{id} unknown refuse (patch-empty) "),
        "{text}"
    );
    assert!(!text.contains("\"status\"") && text.contains("serving"), "{text}");
}
