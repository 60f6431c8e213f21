//! What somebody at a terminal is told of a gateway that runs, and may have it do.

use super::file;
use super::process::{Finished, Gateway, ask, gateway_file, patchgate};
use crate::harness::{Act, Upstream};

use serde_json::{Value, json};

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

const TARGET: &str = "/v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;
const PARTNERS: &str = "identity: [{ header: X-Partner }]
partners:
  - { id: contoso, tier: small, identities: [contoso] }
  - { id: fabrikam, identities: [fabrikam] }
limits: { tiers: { standard: {}, small: { requests: [3/1h], concurrent: 5 } } }
reload: { watch: false }";

/// Runs a command about `gateway`.
fn about(gateway: &Gateway, arguments: &[&str]) -> Finished {
    let admin = gateway.admin.to_string();
    patchgate(&[arguments, &["--admin", &admin]].concat())
}

fn status(gateway: &Gateway) -> Value {
    let Finished { out, .. } = about(gateway, &["status", "--format", "json"]);
    serde_json::from_str(&out).expect("JSON")
}

fn named<'v>(status: &'v Value, list: &str, name: &str, wanted: &str) -> &'v Value {
    let all = status[list].as_array().expect("a list");
    all.iter().find(|one| one[name] == wanted).unwrap_or_else(|| panic!("no {wanted} in {status}"))
}

#[test]
fn how_it_stands_is_told_by_route_and_partner_with_the_last_refusals() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = format!("upstream: {{ url: sandbox }}\n{PARTNERS}");
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let patch = |partner: &str, body: &str| {
        let field = format!("X-Partner: {partner}");
        ask(gateway.address, &format!("PATCH {TARGET}"), &[&field], body).status
    };
    assert_eq!((patch("contoso", NOTE), patch("contoso", "[]")), (204, 422));
    assert_eq!((patch("contoso", NOTE), patch("contoso", NOTE)), (204, 429));
    assert_eq!((patch("fabrikam", NOTE), patch("nobody", NOTE)), (204, 204));
    assert_eq!(ask(gateway.address, "GET /s3cr3t-m4rk", &[], "").status, 404);

    let found = status(&gateway);
    let route = named(&found, "routes", "route", "update-referral");
    assert_eq!(route["requests"], 6);
    assert_eq!(
        route["decisions"],
        json!({"advisory": 0, "none": 0, "permit": 4, "refuse": 1, "reject": 1})
    );
    assert_eq!((&route["statuses"]["2xx"], &route["statuses"]["4xx"]), (&4.into(), &2.into()));
    let contoso = named(&found, "partners", "partner", "contoso");
    assert_eq!((&contoso["admitted"], &contoso["held_back"]), (&3.into(), &1.into()));
    let quota = &contoso["quotas"][0];
    assert_eq!((&quota["most"], &quota["left"]), (&3.into(), &0.into()));
    assert_eq!(named(&found, "partners", "partner", "unknown")["admitted"], 1);
    let refusals = found["refusals"].as_array().expect("a list");
    let told: Vec<Value> = refusals
        .iter()
        .map(|one| {
            json!([
                one["partner"],
                one["route"],
                one["status"],
                one["rejection"],
                one["found"][0]["code"]
            ])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!([null, null, 404, "unrouted", null]),
            json!(["contoso", "update-referral", 429, "rate-limited", null]),
            json!(["contoso", "update-referral", 422, "refused", "patch-empty"]),
        ]
    );
    assert_eq!(refusals[2]["found"][0]["title"], "the patch changes nothing");
    assert!(!found.to_string().contains("s3cr3t-m4rk"));

    let Finished { code, out, err } = about(&gateway, &["status"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("ready     yes\nversion "), "{out}");
    assert!(out.contains("requests  6, 1 refused by the policy\n"), "{out}");
}

#[test]
fn a_reload_is_asked_for_and_its_faults_are_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = gateway_file(&folder, &format!("upstream: {{ url: sandbox }}\n{PARTNERS}"));
    let gateway = Gateway::run(&config);
    let sound = fs::read_to_string(&config).expect("a file");
    file(&folder, "gateway.yaml", &sound.replace("3/1h", "much"));
    let Finished { code, out, err } = about(&gateway, &["reload"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("gateway.yaml:8:"), "{err}");
    let Finished { out, .. } = about(&gateway, &["status"]);
    assert!(
        out.contains("reloads   0 taken, 1 refused\n") && out.contains("\nfault     "),
        "{out}"
    );
    file(&folder, "gateway.yaml", &sound.replace("3/1h", "4/1h"));
    let Finished { code, out, err } = about(&gateway, &["reload"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains(status(&gateway)["digest"].as_str().expect("a digest")), "{out}");
    // What was counted stays.
    let contoso = status(&gateway);
    assert_eq!(named(&contoso, "partners", "partner", "contoso")["quotas"][0]["most"], 4);
}

#[test]
fn draining_asks_callers_to_go_and_waits_for_those_who_are_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let (release, held) = Act::held();
    let upstream = Upstream::start([held]);
    let keys = format!("upstream: {{ url: \"http://{}\" }}\n{PARTNERS}", upstream.address);
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let address = gateway.address;
    let caller = std::thread::spawn(move || ask(address, &format!("PATCH {TARGET}"), &[], NOTE));
    upstream.wait_for(1);
    let Finished { code, out, .. } = about(&gateway, &["drain"]);
    assert_eq!((code, out.as_str()), (1, "draining: 1 requests are under way\n"));
    let Finished { code, out, .. } = about(&gateway, &["status"]);
    assert_eq!(code, 1);
    assert!(out.starts_with("ready     no, it is draining\n"), "{out}");
    // Everybody is served as before.
    assert_eq!(ask(address, &format!("PATCH {TARGET}"), &[], NOTE).status, 200);
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(400));
        release.send(crate::harness::answer("204 No Content", "", "")).expect("it waits");
    });
    let Finished { code, out, .. } = about(&gateway, &["drain", "--wait", "30"]);
    assert_eq!((code, out.as_str()), (0, "drained: nothing is under way\n"));
    later.join().expect("a thread");
    assert_eq!(caller.join().expect("a caller").status, 204);
}

#[test]
fn top_shows_what_happens_between_two_looks() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = format!("upstream: {{ url: sandbox }}\n{PARTNERS}");
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let address = gateway.address;
    let caller = std::thread::spawn(move || {
        for _ in 0..40 {
            ask(address, &format!("PATCH {TARGET}"), &["X-Partner: fabrikam"], NOTE);
            ask(address, &format!("PATCH {TARGET}"), &["X-Partner: fabrikam"], "[]");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let Finished { code, out, err } = about(&gateway, &["top", "--every", "0.4", "--frames", "2"]);
    assert_eq!((code, err.as_str()), (0, ""));
    caller.join().expect("a caller");
    let rates: Vec<f64> = out
        .lines()
        .filter(|line| line.starts_with("update-referral "))
        .flat_map(|line| line.split_whitespace().skip(1).take(2))
        .map(|rate| rate.parse().expect("a number"))
        .collect();
    let [all, refused, ..] = rates[..] else { panic!("{out}") };
    assert!(rates.len() == 4 && all > 5.0 && refused > 2.0 && refused < all, "{out}");
    assert!(
        out.lines().any(|line| line.starts_with("contoso ") && line.ends_with(" 3/3")),
        "{out}"
    );
    assert!(!out.contains('\u{1b}'), "nobody sees colours in a pipe");
}

#[test]
fn where_no_gateway_is_that_is_said() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let admin = free.local_addr().expect("an address").to_string();
    drop(free);
    for command in ["status", "reload", "drain", "top"] {
        let Finished { code, out, err } = patchgate(&[command, "--admin", &admin]);
        assert_eq!((code, out.as_str()), (2, ""), "{command}");
        assert!(err.contains(&format!("no gateway answers at `{admin}`")), "{err}");
    }
    let Finished { code, err, .. } = patchgate(&["status", "--admin", "no address"]);
    assert_eq!(code, 2);
    assert!(err.contains("write a host and a port"), "{err}");
}
