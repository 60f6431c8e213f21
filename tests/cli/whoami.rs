//! `whoami`, and the same answer within `explain`.

use super::file;
use super::process::{Finished, gateway_file, patchgate};

use serde_json::{Value, json};

const KEYS: &str = r#"
upstream: { url: sandbox }
identity: [{ header: X-Partner-Id }]
partners:
  - { id: acme, identities: [secret-of-acme], roles: [signer], tier: gold, limits: { writes: [5/1m], concurrent: 3 } }
  - { id: plain, identities: [plain] }
limits:
  tiers:
    gold: { requests: [50/1s burst 100, 9000/24h], reads: [40/1s], prefetches: [7/250ms] }
    standard: { requests: [10/1s], concurrent: 0 }
  total: { requests: [1000/1s] }
  cost: { request: 2, op: 1 }
"#;

fn told(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter_map(|line| line.trim().split_once(' '));
    lines.map(|(name, said)| (name, said.trim())).collect()
}

#[test]
fn whoami_tells_partner_tier_and_the_limits_that_would_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = gateway_file(&folder, KEYS);
    let ask = |more: &[&str]| patchgate(&[&["whoami", "--config", &config], more].concat());
    let Finished { code, out, err } = ask(&["-H", "X-Partner-Id: secret-of-acme"]);
    assert_eq!(code, 0, "{err}");
    let expected = [
        ("partner", "acme"),
        ("tier", "gold"),
        ("roles", "signer"),
        ("credential", "its own"),
        ("counts", "a write, for 2 and 1 for each op"),
        ("requests", "50/1s burst 100"),
        ("requests", "9000/24h"),
        ("writes", "5/1m"),
        ("prefetches", "7/250ms"),
        ("concurrent", "3"),
    ];
    let last = ("of", "all      requests 1000/1s");
    assert_eq!(told(&out), [&expected[..], &[last]].concat(), "{out}");
    assert!(!format!("{out}{err}").contains("secret"), "{out}{err}");
    let Finished { code, out, .. } =
        ask(&["--method", "GET", "--format", "json", "--header", "x-partner-id: plain"]);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    let limit =
        |of, most| json!({"of": of, "list": "requests", "most": most, "ms": 1000, "burst": most});
    let expected = json!({
        "partner": "plain", "tier": "standard", "roles": [], "closed": [], "credential": null, "class": "read",
        "cost": {"request": 2, "op": 1}, "concurrent": null,
        "limits": [limit("partner", 10), limit("all", 1000)],
    });
    assert_eq!((code, told), (0, expected));
    // Whoever is not known, and names that are no source of identity, are one.
    for field in ["X-Partner-Id: else", "X-Partner: acme", "X-Forwarded-For: 10.0.0.1"] {
        let Finished { out, .. } = ask(&["-H", field]);
        assert!(out.starts_with("partner     unknown\n"), "{out}");
    }
}

#[test]
fn whoami_believes_a_header_from_the_peers_alone_that_the_gateway_believes() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = KEYS.replace("{ header: X-Partner-Id }", "{ header: X-P, from: [10.0.0.0/8] }");
    let config = gateway_file(&folder, &keys);
    for (more, partner) in [
        (&[][..], "unknown"),
        (&["--peer", "11.0.0.1"], "unknown"),
        (&["--peer", "10.1.2.3"], "plain"),
        (&["--peer", "::ffff:10.1.2.3"], "plain"),
    ] {
        let asked = ["whoami", "--config", &config, "-H", "X-P: plain"];
        let Finished { out, err, .. } = patchgate(&[&asked[..], more].concat());
        assert!(out.starts_with(&format!("partner     {partner}\n")), "{more:?}: {out}{err}");
    }
    let keys =
        KEYS.replace("{ header: X-Partner-Id }", "{ token_claims: [a], from: [10.0.0.1/8] }");
    let Finished { code, err, .. } = patchgate(&["check", &gateway_file(&folder, &keys)]);
    assert_eq!(code, 1);
    assert!(err.contains("this is no network") && err.contains("there is no `header`"), "{err}");
}

#[test]
fn whoami_says_where_a_request_would_be_refused_and_where_it_cannot_be_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = gateway_file(&folder, &format!("{KEYS}unknown_partners: refuse\n"));
    let ask = |more: &[&str]| {
        let Finished { code, out, err } = patchgate(&[&["whoami", "-c", &config], more].concat());
        assert_eq!(out, "");
        (code, err)
    };
    let (code, err) = ask(&["-H", "X-Partner-Id: else"]);
    assert_eq!(code, 1);
    assert_eq!(err, "patchgate: the gateway would refuse this request: 401 unidentified\n");
    let (code, err) = ask(&["-H", "X-Partner-Id: plain", "-H", "X-Partner-Id: plain"]);
    assert_eq!(code, 1);
    assert!(err.contains("400 head-malformed"), "{err}");
    let (code, err) = ask(&["-H", "top-secret"]);
    assert_eq!((code, err.contains("secret")), (2, false), "{err}");
    let Finished { code, .. } = patchgate(&["whoami", "-c", "no-such-file.yaml"]);
    assert_eq!(code, 2);
}

#[test]
fn explain_gives_the_same_answer_beside_the_judgement() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = gateway_file(&folder, KEYS);
    let body = file(&folder, "p.json", r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#);
    let who = ["--config", &*config, "--header", "X-Partner-Id: secret-of-acme"];
    let alone = patchgate(&[&["whoami"], &who[..]].concat());
    let within = patchgate(&[&["explain"], &who[..], &[&*body]].concat());
    assert_eq!(within.code, 0, "{}", within.err);
    for line in alone.out.lines() {
        assert!(within.out.contains(&format!("  {line}\n")), "{line}: {}", within.out);
    }
    let json = ["--format", "json"];
    let alone = patchgate(&[&["whoami"], &who[..], &json].concat());
    let within = patchgate(&[&["explain"], &who[..], &json, &[&*body]].concat());
    let [alone, within] =
        [alone, within].map(|it| serde_json::from_str::<Value>(&it.out).expect("JSON"));
    assert_eq!(within["caller"], alone);
    assert_eq!(within["verdict"], "permit");
    let without = patchgate(&["explain", "--header", "X-Partner-Id: plain", &body]);
    assert_eq!(without.code, 2, "a header tells nothing without a gateway file");
}

#[test]
fn a_rate_that_cannot_be_counted_and_a_tier_that_is_not_there_are_faults_in_their_places() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = "upstream: { url: sandbox }\nidentity: [{ header: X-P }]\n\
        partners: [{ id: a, identities: [a], tier: gold }, { id: b, identities: [b] }]\n\
        limits:\n  tier: silver\n  tiers:\n    standard:\n      requests:\n        - 9000000/1s\n        \
        - 1/999999h\n        - 5/1s\n        - 6/1000ms\n      writes: [1/24h burst 900]\n      \
        reads: [\"100 per second\"]\n  total: { concurrent: 4 }\n";
    let config = gateway_file(&folder, keys);
    let Finished { code, err, .. } = patchgate(&["check", &config]);
    assert_eq!(code, 1);
    for (place, message) in [
        ("5:", "no tier is called `gold`; there are: standard"),
        ("7:", "no tier is called `silver`; there are: standard"),
        ("11:", "more than 1000000 a second"),
        ("12:", "744h at most"),
        ("13:", "another rate for this time"),
        ("15:", "more than a year"),
        ("16:", "is not written right"),
        ("17:", "`bounds.in_flight`"),
    ] {
        let found = err.lines().find(|line| line.contains(message));
        let found = found.unwrap_or_else(|| panic!("{message}: {err}"));
        assert!(found.contains(&format!("gateway.yaml:{place}")), "{found}");
    }
    assert_eq!(err.matches("silver").count(), 1, "{err}");
}
