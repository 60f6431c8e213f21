//! What the operator is told, and by whom the gateway lets itself be told anything.

use crate::harness::{Caller, Gateway, Reply, Upstream};

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn ask(operator: SocketAddr, line: &str, fields: &str) -> Reply {
    Caller::to(operator).ask(format!("{line} HTTP/1.1\r\nHost: admin\r\n{fields}\r\n"))
}

#[test]
fn the_operator_sees_readiness_and_can_reload() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let reloads = Arc::new(AtomicUsize::new(0));
    let reload = {
        let reloads = Arc::clone(&reloads);
        move || match reloads.fetch_add(1, Ordering::SeqCst) {
            0 => Ok("loaded".to_owned()),
            _ => Err("line 3: no".to_owned()),
        }
    };
    let admin = gateway.operator(Arc::new(reload));
    let ask = |line: &str, fields: &str| ask(admin.local_addr(), line, fields);
    assert_eq!(ask("GET /livez", "").status, 200);
    let version = ask("GET /version", "").json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["digest"], "0123456789abcdef");
    let ready = ask("GET /readyz", "");
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["digest"], "0123456789abcdef");
    assert!(ready.json().get("draining").is_none());
    let verbose = ask("GET /readyz?verbose", "").json();
    assert_eq!(verbose["draining"], false);
    assert_eq!(verbose["store"], serde_json::Value::Null);
    assert_eq!(verbose["upstream_paused"], false);
    assert_eq!(ask("GET /config", "").body, b"{}");
    assert_eq!(ask("GET /nothing", "").status, 404);
    for (line, allow) in [
        ("GET /reload", "POST"),
        ("GET /drain", "POST"),
        ("POST /status", "GET"),
        ("POST /metrics", "GET"),
        ("DELETE /loglevel", "GET, PUT"),
        ("PUT /config", "GET"),
    ] {
        let refused = ask(line, "");
        assert_eq!((refused.status, refused.header("allow")), (405, Some(allow)), "{line}");
    }
    assert_eq!(ask("POST /reload", "Origin: http://evil\r\n").status, 403);
    assert_eq!(ask("PUT /loglevel", "Origin: http://evil\r\n").status, 403);
    assert_eq!(reloads.load(Ordering::SeqCst), 0);
    assert_eq!(ask("POST /reload", "").body, b"loaded");
    // A picture of another site's page would keep a place among those who listen.
    for site in ["cross-site", "same-site"] {
        assert_eq!(ask("GET /events", &format!("Sec-Fetch-Site: {site}\r\n")).status, 403);
        assert_eq!(ask("POST /explain", &format!("Sec-Fetch-Site: {site}\r\n")).status, 403);
    }
    // The page is for looking, where no token is configured.
    assert_eq!(ask("POST /reload", "Origin: http://admin\r\n").status, 403);
    assert_eq!(ask("POST /drain", "Sec-Fetch-Site: same-origin\r\n").status, 403);
    let failed = ask("POST /reload", "");
    assert_eq!((failed.status, &*failed.body), (422, &b"line 3: no"[..]));
    assert_eq!(ask("POST /drain", "Origin: http://evil\r\n").status, 403);
    assert_eq!(ask("GET /readyz", "").status, 200);
    assert_eq!(ask("POST /drain", "").body, b"draining, 0 under way\n");
    assert_eq!(ask("GET /readyz", "").status, 503);
    assert_eq!(ask("GET /readyz?verbose", "").json()["draining"], true);
}

#[test]
fn a_name_that_is_not_the_operators_is_answered_nothing_of_use() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::before(&upstream);
    let admin = gateway.operator(Arc::new(|| Ok(String::new())));
    let address = admin.local_addr();
    let with = |host: &str, path: &str| {
        Caller::to(address).ask(format!("GET {path} HTTP/1.1\r\n{host}\r\n"))
    };
    for path in ["/livez", "/readyz", "/metrics", "/config", "/version", "/nothing"] {
        for host in ["Host: evil.example\r\n", "Host: localhost.evil.example:9090\r\n"] {
            let refused = with(host, path);
            assert_eq!(refused.status, 421, "{path} {host}");
            let said = String::from_utf8(refused.body.to_vec()).unwrap();
            assert!(said.contains("admin.hosts") && !said.contains("evil"), "{said}");
        }
    }
    for host in [format!("Host: {address}\r\n"), "Host: localhost\r\n".into()] {
        assert_eq!(with(&host, "/livez").status, 200);
    }
    // Probes of old may name nobody.
    let old = Caller::to(address).ask("GET /livez HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 200);
}
