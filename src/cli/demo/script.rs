//! The requests of the demo, and what people see of the answers.

use serde_json::Value;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One request, and the status that is expected.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) about: &'static str,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) body: &'static str,
    pub(super) expected: u16,
    pub(super) invite: bool,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) request_id: String,
    body: String,
    refused: bool,
}

const VALUES: &str = r#"[{"op":"replace","path":"/details/dealValue","value":"10000"},{"op":"replace","path":"/details/notes","value":"Lorem ipsum dolor sit amet."}]"#;
const WON: &str = r#"[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Won"}]"#;
const MEMBER: &str = r#"[{"op":"add","path":"/team/-","value":{"email":"jane.doe@contoso.com","firstName":"Jane","lastName":"Doe","phoneNumber":"0000000001"}}]"#;

/// The requests, in order. Seeds: 1 New/Pending, 3 and 4 Active/Accepted, 6 Closed/Lost.
pub(super) fn requests() -> Vec<Request> {
    let patch = |about, seed: u8, body, expected| Request {
        about,
        method: "PATCH",
        path: format!("/v1.0/engagements/referrals/10000000-0000-4000-8000-00000000000{seed}"),
        headers: Vec::new(),
        body,
        expected,
        invite: false,
    };
    vec![
        Request {
            invite: true,
            ..patch("sample 1: a value and a note; decided by the patch alone", 3, VALUES, 204)
        },
        patch(
            "sample 2: won; the gateway reads the state first, and pins the patch to it",
            3,
            WON,
            204,
        ),
        Request {
            headers: vec![("Prefer", "return=representation")],
            invite: true,
            ..patch("sample 3: a new team member, and the referral in return", 4, MEMBER, 200)
        },
        patch("a new referral is won at once: the documents' table allows it", 1, WON, 204),
        Request { invite: true, ..patch("a referral that was lost cannot be won", 6, WON, 409) },
        patch(
            "one field of the pair alone",
            4,
            r#"[{"op":"replace","path":"/status","value":"Closed"}]"#,
            422,
        ),
        patch(
            "a pair that does not exist",
            4,
            r#"[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Accepted"}]"#,
            422,
        ),
        patch(
            "an op that the API does not have",
            4,
            r#"[{"op":"remove","path":"/details/notes"}]"#,
            422,
        ),
        patch(
            "a misspelt path",
            4,
            r#"[{"op":"replace","path":"/detials/notes","value":"n"}]"#,
            422,
        ),
        patch(
            "a field of the server's",
            4,
            r#"[{"op":"replace","path":"/id","value":"mine"}]"#,
            422,
        ),
        patch(
            "a parent, which would take its children with it",
            4,
            r#"[{"op":"replace","path":"/details","value":{"notes":"n"}}]"#,
            422,
        ),
        patch(
            "a member named twice: two readers would see two patches",
            4,
            r#"[{"op":"replace","path":"/details/notes","value":"n","path":"/id"}]"#,
            400,
        ),
        Request {
            path: "/v1.0/customers".to_owned(),
            method: "GET",
            body: "",
            ..patch("another API on the same host", 4, "", 404)
        },
    ]
}

/// Sends `request` to the gateway at `address`.
pub(super) fn send(address: SocketAddr, request: &Request) -> io::Result<Answer> {
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer demo\r\nConnection: close\r\n",
        request.method, request.path
    );
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !request.body.is_empty() {
        head.push_str("Content-Type: application/json\r\n");
        head.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
    }
    tcp.write_all(format!("{head}\r\n{}", request.body).as_bytes())?;
    let mut text = String::new();
    tcp.read_to_string(&mut text)?;
    let broken = || io::Error::other("the gateway's answer is broken");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    let field = |name: &str| {
        head.lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .find_map(|(known, value)| known.eq_ignore_ascii_case(name).then(|| value.to_owned()))
    };
    let refused =
        field("content-type").is_some_and(|kind| kind.starts_with("application/problem+json"));
    let request_id = field("request-id").unwrap_or_default();
    Ok(Answer { status, request_id, body: body.to_owned(), refused })
}

impl Answer {
    /// What became of the request, in a few words.
    pub(super) fn verdict(&self) -> &'static str {
        match (self.refused, self.status) {
            (true, _) => "refused by the gateway",
            (false, 200..300) => "permitted, and applied by the API",
            (false, _) => "permitted, but refused by the API",
        }
    }

    /// The problem, or the document, in words.
    pub(super) fn told(&self) -> Vec<String> {
        let Ok(body) = serde_json::from_str::<Value>(&self.body) else { return Vec::new() };
        let text = |value: &Value, key: &str| {
            value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        if !self.refused {
            let team = body.pointer("/team").and_then(Value::as_array).map_or(0, Vec::len);
            return vec![format!(
                "{} is {}/{}, with {team} in its team",
                text(&body, "name"),
                text(&body, "status"),
                text(&body, "substatus")
            )];
        }
        let mut lines = vec![text(&body, "detail")];
        for error in body.get("errors").and_then(Value::as_array).into_iter().flatten() {
            let op = error.get("op").and_then(Value::as_u64);
            let op = op.map_or(String::new(), |op| format!("op {op}, "));
            let pointer = text(error, "pointer");
            let place = if pointer.is_empty() {
                op.trim_end_matches(", ").to_owned()
            } else {
                format!("{op}{pointer}")
            };
            lines.push(format!("· {place}: {}", text(error, "message")));
            let accepted = error.get("accepted").and_then(Value::as_array).into_iter().flatten();
            let accepted: Vec<&str> = accepted.filter_map(Value::as_str).collect();
            if !accepted.is_empty() {
                lines.push(format!("  accepted: {}", accepted.join("  ")));
            }
        }
        lines
    }
}
