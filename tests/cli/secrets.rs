//! What nobody is to see: where it may stand, and that it comes out nowhere.

use super::process::{Finished, Gateway, PROGRAM, Process, ask, finish, gateway_file, patchgate};
use super::{WON, file};
use crate::harness::{Act, Authority, Caller, Upstream, answer, eventually};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const REFERRAL: &str = "/v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const EGRESS: &str = r#"workers: ${WORKERS}
h2c: ${H2C}
upstream:
  url: "http://${UPSTREAM_HOST}:1"
  proxy: { url: "http://127.0.0.1:2", username: "${WORKERS}", password: "${file:password}" }
"#;

fn secret(folder: &tempfile::TempDir, name: &str, text: &str, mode: u32) {
    let path = file(folder, name, text);
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

fn check(arguments: &[&str]) -> Finished {
    let mut command = Command::new(PROGRAM);
    command.arg("check").args(arguments);
    finish(command.env("WORKERS", "3").env("H2C", "true").env("UPSTREAM_HOST", "api.internal"))
}

/// Row 173 of the threats: redacted where the configuration is shown.
#[test]
fn values_come_from_files_and_variables_and_are_shown_as_they_are_written() {
    let folder = tempfile::tempdir().expect("a folder");
    secret(&folder, "password", "m4rk3d\n", 0o640);
    let config = gateway_file(&folder, EGRESS);
    let Finished { code, out, err } = check(&[&config]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");

    let Finished { code, out, err } = check(&["--print-config", &config]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["upstream"]["proxy"]["password"], "${file:password}");
    assert_eq!(shown["upstream"]["url"], "http://${UPSTREAM_HOST}:1");
    assert_eq!((&shown["workers"], &shown["h2c"]), (&"${WORKERS}".into(), &"${H2C}".into()));
    assert_eq!(shown["timeouts"]["drain"], "10s", "what is left out is there");
    assert!(!out.contains("m4rk3d") && !out.contains("api.internal"), "{out}");
    // What is shown can be run as it is.
    let again = file(&folder, "again.yaml", &out);
    let Finished { code, out: shown_again, err } = check(&["--print-config", &again]);
    assert_eq!((code, err.as_str(), shown_again), (0, "", out));
}

#[test]
fn a_reference_that_leads_nowhere_is_told_with_its_place_and_nothing_else_is_said_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = gateway_file(&folder, &format!("{EGRESS}via: \"a b\""));
    let Finished { code, err, .. } = patchgate(&["check", &config]);
    assert_eq!(code, 1);
    for (line, place) in err.lines().zip([
        ":3:1: the environment variable `WORKERS` is not set",
        ":4:1: the environment variable `H2C` is not set",
        ":6:3: the environment variable `UPSTREAM_HOST` is not set",
        ":7:39: the environment variable `WORKERS` is not set",
        ":7:63: `",
        ":8:1: `via` is `off`, or a name",
    ]) {
        assert!(line.contains(place), "{place}\n{err}");
    }
    assert_eq!(err.lines().count(), 6, "{err}");
    assert!(err.contains("password` cannot be read"), "{err}");
}

/// Row 173: the modes of files are checked.
#[test]
fn a_secret_that_everybody_may_read_or_that_stands_in_the_open_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = Authority::new().pair("localhost");
    secret(&folder, "cert.pem", &certificate, 0o644);
    let config =
        gateway_file(&folder, &format!("{EGRESS}tls: {{ certificate: cert.pem, key: key.pem }}"));
    for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 2), (0o602, 2), (0o660, 0)] {
        secret(&folder, "password", "m4rk3d\n", mode);
        secret(&folder, "key.pem", &key, mode);
        let Finished { code, err, .. } = check(&[&config]);
        assert_eq!((code, err.lines().count()), (0, warnings), "{mode:o}: {err}");
        assert!(err.lines().all(|line| line.contains("which holds a secret; `chmod o= ")), "{err}");
    }
    let config = gateway_file(&folder, &EGRESS.replace("${file:password}", "m4rk3d"));
    let Finished { err, .. } = check(&[&config]);
    assert!(err.contains("`password` stands in the open") && !err.contains("m4rk3d"), "{err}");
    let Finished { out, .. } = check(&["--print-config", &config]);
    assert!(out.contains(r#""password": "***""#) && !out.contains("m4rk3d"), "{out}");
}

#[test]
fn a_secret_that_changes_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    secret(&folder, "quota", "1", 0o600);
    let keys = "upstream: { url: sandbox }\nreload: { every: 80ms }\n\
                limits: { tiers: { standard: { requests: [\"${file:quota}/1h\"] } } }";
    let gateway = Gateway::run(&gateway_file(&folder, keys));
    let status = || ask(gateway.address, &format!("GET {REFERRAL}"), &[], "").status;
    assert_eq!((status(), status()), (200, 429));
    // Of this one comes back within some milliseconds, although all of it counts as spent.
    secret(&folder, "quota", "900000\n", 0o600);
    gateway.process.err.event("reloaded");
    eventually("there is room", || status() == 200);
}

/// Everything that a process has said, until its end.
fn everything(process: Process) -> String {
    process.signal("TERM");
    let said = format!("{}{}", process.err.rest(), process.out.rest());
    assert_eq!(process.end(), 0);
    said
}

/// What must come out nowhere, in each form that it could have.
fn assert_hidden(text: &str, secrets: &[&str], whence: &str) {
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {whence}:\n{text}");
        assert!(!text.contains(&STANDARD.encode(secret)), "{secret} in {whence}, coded:\n{text}");
        let bytes = secret.as_bytes().iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        assert!(!text.contains(&bytes), "{secret} in {whence}, as bytes:\n{text}");
    }
}

/// Rows 168, 169 and 170: at `trace`, of all crates, whatever happens.
#[test]
fn no_credential_and_no_value_comes_out_anywhere() {
    const TOKEN: &str = "t0k3n-m4rk";
    const COOKIE: &str = "c00k13-m4rk";
    const BODY: &str = "b0dy-m4rk";
    const OTHER: &str = "0th3r-m4rk";
    const STORED: &str = "st0r3d-m4rk";
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let (certificate, key) = authority.pair("localhost");
    secret(&folder, "cert.pem", &certificate, 0o644);
    secret(&folder, "key.pem", &key, 0o600);
    let key = key.lines().nth(1).expect("a key").to_owned();
    let secrets = [TOKEN, COOKIE, BODY, OTHER, STORED, &key];
    let page = format!("Set-Cookie: {STORED}\r\nContent-Type: text/html\r\n");
    let stored = format!(r#"{{"id":"1","status":"Active","substatus":"Accepted","x":"{STORED}"}}"#);
    let script = || {
        [
            Act::Answer(answer("204 No Content", "", "")),
            Act::Answer(answer("500 No", &page, STORED)),
            Act::AnswerAndClose(format!("HTTP/1.1 {STORED}\r\n\r\n").into_bytes()),
            Act::Close,
            Act::Answer(answer("200 OK", "ETag: \"1\"\r\n", &stored)),
            Act::Answer(answer("401 No", &page, STORED)),
        ]
    };
    let upstream = Upstream::start(script());
    let log = folder.path().join("access.log");
    let audit = folder.path().join("audit.log");
    let config = |tls: &str| {
        let keys = format!(
            "log: {{ access: {}, level: trace }}\nupstream: {{ url: \"http://{}\" }}\nh2c: true\n\
             identity: [{{ header: X-Key }}, {{ token_claims: [tid] }}]\n\
             audit: {{ file: {}, values: {{ public: redacted }} }}\n{tls}",
            log.display(),
            upstream.address,
            audit.display(),
        );
        gateway_file(&folder, &keys)
    };
    let gateway = Gateway::run(&config(""));
    let fields = [
        &*format!("Authorization: Bearer {TOKEN}"),
        &format!("Cookie: a={COOKIE}"),
        &format!("X-Key: {OTHER}"),
        &format!("X-Other: {OTHER}"),
    ];
    let lines = fields.iter().map(|field| format!("{field}\r\n")).collect::<String>();
    let send = |request: &str, lines: &str, body: &str| {
        let length = body.len();
        Caller::to(gateway.address).ask(format!(
            "{request} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{lines}\
             Content-Length: {length}\r\n\r\n{body}"
        ))
    };
    let patch = format!("PATCH {REFERRAL}");
    let note = format!(r#"[{{"op":"replace","path":"/details/notes","value":"{BODY}"}}]"#);
    let won = WON.replace("Won", BODY);
    let mut ours = Vec::new();
    // Permitted, and then: applied, failed, answered with nonsense, not answered.
    for status in [204, 500, 502, 502] {
        let reply = send(&patch, &lines, &note);
        assert_eq!(reply.status, status);
        // What the API says goes to the caller as it is; ours does not.
        if status != 500 {
            ours.push(reply);
        }
    }
    // Judged by what is stored, and refused; and nothing to judge by.
    let lost = WON.replace("Won", "Lost");
    let refused = send(&patch, &lines, &lost);
    assert_eq!(refused.status, 409);
    ours.push(refused);
    assert_eq!(send(&patch, &lines, &lost).status, 401);
    let whole = note.replace("replace", BODY);
    for (request, body) in [
        (&*patch, &*won),
        (&patch, &whole),
        (&patch, &note[..note.len() - 1]),
        (&patch, &format!("{note}{BODY}")),
        (&patch, &format!("\"{BODY}\"")),
        ("PATCH /nowhere", &note),
        (&format!("{patch}?{OTHER}=1"), &note),
        (&format!("BREW{OTHER} /"), ""),
        (&format!("GET /{OTHER}/%00"), ""),
    ] {
        let reply = send(request, &lines, body);
        assert!((400..500).contains(&reply.status), "{request} {body}: {}", reply.status);
        ours.push(reply);
    }
    for more in [
        &*format!("Authorization: {TOKEN}\r\n"),
        &format!("Transfer-Encoding: {OTHER}\r\n"),
        &format!("X {OTHER}: 1\r\n"),
        &format!("If-Match: {OTHER}\r\n"),
        &format!("Request-ID: <{OTHER}>\r\n"),
        &format!("Connection: Authorization, {OTHER}\r\n"),
        &format!("X-Long: {}\r\n", OTHER.repeat(4000)),
    ] {
        ours.push(send(&patch, &format!("{lines}{more}"), &note));
    }
    ours.push(two(gateway.address, &fields, &note));
    for reply in &ours {
        let shown = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body));
        assert_hidden(&shown, &secrets, "an answer");
    }

    // Reloads that fail, and pages of the operator.
    let sound = fs::read_to_string(folder.path().join("gateway.yaml")).expect("a file");
    file(&folder, "gateway.yaml", &format!("{sound}x: \"{OTHER}\"\n"));
    let refused = ask(gateway.admin, "POST /reload", &fields, "");
    assert_eq!(refused.status, 422);
    let mut pages = refused.body;
    for page in [
        "GET /readyz?verbose",
        "GET /version",
        "GET /livez",
        "GET /metrics",
        "GET /config",
        "GET /loglevel",
        "GET /status",
        "GET /pictures",
        "GET /",
        "GET /nothing",
    ] {
        pages.push_str(&ask(gateway.admin, page, &fields, "").body);
    }
    assert_hidden(&pages, &secrets, "a page");
    let said = everything(gateway.process);
    assert!(said.contains("\"TRACE\""), "it was told to say everything");
    assert_hidden(&said, &secrets, "the events");

    // The same over TLS, with a key that is replaced, and by something that is no key.
    let gateway = Gateway::run(&config("tls: { certificate: cert.pem, key: key.pem }"));
    let tls = std::sync::Arc::new(authority.caller("http/1.1", None));
    let host = "localhost".try_into().expect("a name");
    let session = rustls::ClientConnection::new(tls, host).expect("a session");
    let tcp = std::net::TcpStream::connect(gateway.address).expect("a connection");
    let mut stream = rustls::StreamOwned::new(session, tcp);
    let request =
        format!("GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("it is taken");
    let mut said = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut said);
    assert!(said.starts_with(b"HTTP/1.1 404"));
    secret(&folder, "key.pem", &format!("-----BEGIN PRIVATE KEY-----\n{key}{OTHER}\n"), 0o600);
    assert_eq!(ask(gateway.admin, "POST /reload", &fields, "").status, 422);
    assert_hidden(&everything(gateway.process), &secrets, "the events over TLS");
    eventually("lines are written", || fs::metadata(&log).is_ok_and(|log| log.len() > 0));
    assert_hidden(&fs::read_to_string(&log).expect("a log"), &secrets, "the access log");
    let audit = fs::read_to_string(&audit).expect("a log");
    assert!(audit.lines().count() > 10, "{audit}");
    assert_hidden(&audit, &secrets, "the audit log");
}

/// Row 174: a password goes to the proxy, and into nothing else.
#[test]
fn the_password_of_the_proxy_comes_out_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    secret(&folder, "password", "pr0xy-m4rk\n", 0o600);
    let proxy = Upstream::start([Act::AnswerAndClose(answer("407 No", "", "pr0xy-m4rk"))]);
    let keys = format!(
        "log: {{ access: stdout, level: trace }}\nupstream: {{ url: \"http://api.test\", proxy: {{ \
         url: \"http://{}\", username: us3r-m4rk, password: \"${{file:password}}\" }} }}",
        proxy.address
    );
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let failed = ask(gateway.address, &format!("GET {REFERRAL}"), &[], "");
    assert_eq!(failed.status, 502);
    let pair = "us3r-m4rk:pr0xy-m4rk";
    let sent = proxy.only_request();
    assert_eq!(
        sent.header("proxy-authorization"),
        Some(&*format!("Basic {}", STANDARD.encode(pair)))
    );
    gateway.process.signal("HUP");
    gateway.process.err.event("reloaded");
    let said = format!("{}{}", failed.body, everything(gateway.process));
    assert_hidden(&said, &[pair, "pr0xy-m4rk"], "the events");
}

/// The answer to one patch over HTTP/2.
fn two(address: std::net::SocketAddr, fields: &[&str], body: &str) -> crate::harness::Reply {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let body = bytes::Bytes::copy_from_slice(body.as_bytes());
    let answered = runtime.expect("a runtime").block_on(async {
        let tcp = tokio::net::TcpStream::connect(address).await?;
        let (client, connection) = h2::client::handshake(tcp).await?;
        tokio::spawn(connection);
        let mut request = http::Request::patch(format!("http://a{REFERRAL}/nowhere"));
        for field in fields {
            let (name, value) = field.split_once(": ").expect("a field");
            request = request.header(name, value);
        }
        let request = request.body(()).expect("a request");
        let (answer, mut sending) = client.ready().await?.send_request(request, false)?;
        let _ = sending.send_data(body, true);
        let answer = answer.await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = answer.into_body();
        let mut read = Vec::new();
        while let Some(data) = body.data().await {
            read.extend_from_slice(&data?);
        }
        Ok::<_, Box<dyn std::error::Error>>((status, headers, read))
    });
    let (status, headers, body) = answered.expect("an answer");
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    crate::harness::Reply { status, headers, body, whole: true }
}
