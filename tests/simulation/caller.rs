//! Callers: each asks for one change after another, and notes what it is told.

use super::api::{Api, STEPS};
use super::dice::Dice;
use super::gateway::PARTNERS;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};
use turmoil::net::TcpStream;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// How many changes each asks for.
const CHANGES: usize = 5;
/// How long a caller waits at most; nobody should.
const PATIENCE: Duration = Duration::from_secs(3);

/// One change that was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub id: String,
    pub document: usize,
    pub change: Change,
    pub if_match: Vec<String>,
    pub partner: &'static str,
    pub token: Option<&'static str>,
    /// Which version was stored when it was asked for, and when it had ended.
    pub between: (usize, usize),
    pub end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// To another state, legal or not.
    Status(&'static str),
    /// Something that needs no state.
    Notes,
    /// Something that is never allowed.
    Forbidden,
}

/// How it ended for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Answered {
        status: u16,
        /// What a problem says of the outcome.
        outcome: Option<String>,
        /// Whose answer it is, where the API says so.
        whose: Option<String>,
        took: Duration,
    },
    /// The caller did not wait.
    Left,
    /// Nothing came of it.
    Nothing(String),
}

/// Asks for one change after another.
pub async fn run(api: Rc<RefCell<Api>>, asked: Rc<RefCell<Vec<Asked>>>, seed: u64, number: u64) {
    let dice = Dice::of(seed, 100 + number);
    let mut last: Option<Asked> = None;
    // Until the gateway listens.
    sleep(Duration::from_millis(5)).await;
    for turn in 0..CHANGES {
        sleep(dice.millis(0, 15)).await;
        let mut change = draw(&api.borrow(), &dice, format!("s{seed}-c{number}-{turn}"));
        // Who is refused tries something else with the same version.
        if let Some(Asked { end: End::Answered { status: 409, .. }, .. }) = &last
            && let Some(last) = &last
            && last.if_match.len() == 1
            && dice.percent(70)
        {
            let Asked { document, if_match, partner, token, .. } = last.clone();
            change = Asked { document, if_match, partner, token, ..change };
        }
        let stored = |document: usize| api.borrow().documents[document].versions.len() - 1;
        let (began, first) = (Instant::now(), stored(change.document));
        let leaves = dice.percent(8);
        let patience = if leaves { dice.millis(1, 40) } else { PATIENCE };
        change.end = match timeout(patience, ask(&change)).await {
            Ok(Ok((status, outcome, whose))) => {
                End::Answered { status, outcome, whose, took: began.elapsed() }
            }
            Ok(Err(why)) => End::Nothing(why),
            Err(_) if leaves => End::Left,
            Err(_) => End::Nothing("no answer at all".to_owned()),
        };
        change.between = (first, stored(change.document));
        asked.borrow_mut().push(change.clone());
        last = Some(change);
    }
}

fn draw(api: &Api, dice: &Dice, id: String) -> Asked {
    let document = usize::try_from(dice.below(api.documents.len() as u64)).unwrap();
    let stored = &api.documents[document];
    let change = match dice.below(100) {
        0..45 => {
            let (_, next) = STEPS.iter().find(|(name, _)| *name == stored.status).unwrap();
            Change::Status(dice.pick(next))
        }
        45..80 => Change::Status(dice.pick(&STEPS).0),
        80..95 => Change::Notes,
        _ => Change::Forbidden,
    };
    let mut tags = stored.versions.iter().rev().map(|(tag, _)| tag);
    let now = tags.next().unwrap();
    let before = tags.next().unwrap_or(now);
    let if_match = match dice.below(100) {
        0..45 => vec![],
        45..55 => vec!["*".to_owned()],
        55..80 => vec![now.clone()],
        80..90 => vec![before.clone()],
        _ => vec![before.clone(), now.clone()],
    };
    Asked {
        id,
        document,
        change,
        if_match,
        partner: dice.pick(&PARTNERS),
        token: dice.pick(&[Some("Bearer a"), Some("Bearer a"), Some("Bearer b"), None]),
        between: (0, 0),
        end: End::Left,
    }
}

type Told = (u16, Option<String>, Option<String>);

async fn ask(asked: &Asked) -> Result<Told, String> {
    let why = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    let tcp = TcpStream::connect(("gateway", 80)).await.map_err(|error| why("connect", &error))?;
    let handshake = http1::handshake(TokioIo::new(tcp)).await;
    let (mut sender, connection) = handshake.map_err(|error| why("handshake", &error))?;
    let driver = Driver(spawn_local(async move { drop(connection.await) }));
    let body = match asked.change {
        Change::Status(to) => format!(r#"[{{"op":"replace","path":"/status","value":"{to}"}}]"#),
        Change::Notes => r#"[{"op":"replace","path":"/notes","value":"n"}]"#.to_owned(),
        Change::Forbidden => r#"[{"op":"replace","path":"/eTag","value":"n"}]"#.to_owned(),
    };
    let mut request = Request::patch(format!("/documents/{}", asked.document))
        .header("host", "gateway")
        .header("content-type", "application/json-patch+json")
        .header("request-id", &asked.id)
        .header("x-partner", asked.partner);
    if let Some(token) = asked.token {
        request = request.header("authorization", token);
    }
    if !asked.if_match.is_empty() {
        request = request.header("if-match", asked.if_match.join(", "));
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let answer = sender.send_request(request).await.map_err(|error| why("request", &error))?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| why("body", &error))?.to_bytes();
    drop(driver);
    let told: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let outcome = told.and_then(|told| told["outcome"].as_str().map(str::to_owned));
    let whose = parts.headers.get("x-for").map(|id| id.to_str().unwrap().to_owned());
    Ok((parts.status.as_u16(), outcome, whose))
}

/// A connection, until this is dropped.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
