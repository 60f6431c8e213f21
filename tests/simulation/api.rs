//! The API: documents with tags, which it changes as it is told, whatever the step. It notes what
//! came and what it did.

use super::dice::Dice;
use super::plan::{Plan, Tags, Trouble};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;
use tokio::time::sleep;
use turmoil::net::TcpListener;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// The states, and where each may lead.
pub const STEPS: [(&str, &[&str]); 4] = [
    ("Draft", &["Offered"]),
    ("Offered", &["Draft", "Signed"]),
    ("Signed", &["Closed"]),
    ("Closed", &["Draft"]),
];

/// What is stored; it outlives a crash.
#[derive(Debug)]
pub struct Api {
    pub documents: Vec<Document>,
    pub arrivals: Vec<Arrival>,
    versions: u64,
    tags: Tags,
    is_troubled: bool,
    rest: u64,
    dice: Dice,
}

#[derive(Debug)]
pub struct Document {
    pub status: String,
    /// Tag and state of every version, the current one last.
    pub versions: Vec<(String, String)>,
    notes: String,
}

/// One request that came, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub id: String,
    pub method: Method,
    pub document: usize,
    pub if_match: Vec<String>,
    pub token: Option<String>,
    /// The tag and the state of the document when it was dealt with.
    pub tag: String,
    pub state: String,
    /// The states before and after it was applied.
    pub applied: Option<(String, String)>,
    /// What was answered; none where nothing was.
    pub status: Option<u16>,
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    Nothing,
    /// 500, and nothing was done.
    FailBefore,
    /// 500, and it was done.
    FailAfter,
    /// No answer, and nothing was done.
    LoseBefore,
    /// No answer, and it was done.
    LoseAfter,
    /// No answer, and it is done some time after that.
    Defer,
    /// It is done, and nobody ever hears of it.
    Silence,
    /// It is done so late that nobody waits any more.
    Late,
}

impl Document {
    /// The tag of the current version.
    pub fn tag(&self) -> &str {
        &self.versions.last().unwrap().0
    }
}

impl Api {
    pub fn of(plan: &Plan) -> Rc<RefCell<Self>> {
        let dice = Dice::of(plan.seed, 1);
        let mut api = Self {
            documents: Vec::new(),
            arrivals: Vec::new(),
            versions: 0,
            tags: plan.tags,
            is_troubled: plan.trouble == Trouble::Api,
            rest: plan.rest,
            dice,
        };
        for _ in 0..plan.documents {
            let (status, _) = api.dice.pick(&STEPS);
            let document =
                Document { status: status.to_owned(), versions: Vec::new(), notes: String::new() };
            api.documents.push(document);
            api.touch(api.documents.len() - 1);
        }
        Rc::new(RefCell::new(api))
    }

    /// Gives a document a new version.
    fn touch(&mut self, document: usize) {
        self.versions += 1;
        let weak = if self.tags == Tags::Weak { "W/" } else { "" };
        let tag = format!("{weak}\"v{}\"", self.versions);
        let Document { status, versions, .. } = &mut self.documents[document];
        versions.push((tag, status.clone()));
    }

    fn pause(&self) -> Duration {
        self.dice.millis(1, self.rest)
    }

    fn mishap(&self) -> Mishap {
        if !self.is_troubled || self.dice.percent(80) {
            return Mishap::Nothing;
        }
        self.dice.pick(&[
            Mishap::FailBefore,
            Mishap::FailAfter,
            Mishap::LoseBefore,
            Mishap::LoseAfter,
            Mishap::LoseAfter,
            Mishap::Defer,
            Mishap::Silence,
            Mishap::Late,
        ])
    }

    fn representation(&self, document: usize) -> Response<Full<Bytes>> {
        let document = &self.documents[document];
        let Document { status, notes, .. } = document;
        let mut body = serde_json::json!({ "status": status, "notes": notes });
        let mut response = Response::builder();
        if self.tags != Tags::Body {
            response = response.header("etag", document.tag());
        }
        if matches!(self.tags, Tags::Body | Tags::Both) {
            body["eTag"] = document.tag().into();
        }
        response.body(body.to_string().into()).unwrap()
    }

    /// Does what a patch says, if its condition holds.
    fn change(&mut self, arrival: &mut Arrival, body: &[u8]) -> u16 {
        let document = &mut self.documents[arrival.document];
        let strong = |tag: &String| !tag.starts_with("W/") && tag == document.tag();
        let holds = |tag: &String| tag == "*" || strong(tag);
        if !arrival.if_match.is_empty() && !arrival.if_match.iter().any(holds) {
            return 412;
        }
        let before = document.status.clone();
        let ops: Vec<serde_json::Value> = serde_json::from_slice(body).unwrap();
        for op in ops {
            let value = op["value"].as_str().unwrap().to_owned();
            match op["path"].as_str().unwrap() {
                "/status" => document.status = value,
                "/notes" => document.notes = value,
                other => panic!("{other} is no place that the policy allows"),
            }
        }
        arrival.applied = Some((before, document.status.clone()));
        self.touch(arrival.document);
        200
    }

    /// Somebody else changes a document, in a way that is allowed.
    fn move_one(&mut self) {
        let at = usize::try_from(self.dice.below(self.documents.len() as u64)).unwrap();
        let (_, next) = STEPS.iter().find(|(name, _)| *name == self.documents[at].status).unwrap();
        self.documents[at].status = self.dice.pick(next).to_owned();
        self.touch(at);
    }
}

/// Serves the API; somebody else changes documents meanwhile.
pub async fn serve(api: Rc<RefCell<Api>>) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", 80)).await?;
    let moved = Rc::clone(&api);
    spawn_local(async move {
        loop {
            let pause = moved.borrow().pause();
            sleep(pause).await;
            moved.borrow_mut().move_one();
        }
    });
    loop {
        let (tcp, _) = listener.accept().await?;
        let api = Rc::clone(&api);
        let life = {
            let api = api.borrow();
            // Some connections end when nobody expects it.
            let is_short = api.is_troubled && api.dice.percent(40);
            if is_short { api.dice.millis(5, 80) } else { Duration::from_secs(60) }
        };
        spawn_local(async move {
            let service = service_fn(move |request| answer(Rc::clone(&api), request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(tcp), service);
            let _ = tokio::time::timeout(life, connection).await;
        });
    }
}

async fn answer(
    api: Rc<RefCell<Api>>,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let lost = || io::Error::other("lost");
    if request.method() == Method::HEAD {
        // The gateway wants to know whether anybody is there; and nothing of a caller's comes with it.
        assert!(
            request.headers().keys().all(|name| ["host", "request-id"].contains(&name.as_str()))
        );
        return Ok(Response::new(Full::default()));
    }
    let (mishap, before, after) = {
        let api = api.borrow();
        (api.mishap(), api.dice.millis(0, 5), api.dice.millis(0, 6))
    };
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| lost())?.to_bytes();
    sleep(before).await;
    if mishap == Mishap::Late {
        sleep(Duration::from_millis(100)).await;
    }
    if mishap == Mishap::Defer && parts.method != Method::GET {
        let pause = api.borrow().dice.millis(5, 40);
        spawn_local(async move {
            sleep(pause).await;
            let mut api = api.borrow_mut();
            let mut late = arrival(&api, &parts.headers, &parts.method, parts.uri.path());
            api.change(&mut late, &body);
            api.arrivals.push(late);
        });
        return Err(lost());
    }
    let place = api.borrow().arrivals.len();
    let response = {
        let mut api = api.borrow_mut();
        let mut arrival = arrival(&api, &parts.headers, &parts.method, parts.uri.path());
        let is_done = !matches!(mishap, Mishap::FailBefore | Mishap::LoseBefore);
        let response = match (is_done, parts.method == Method::GET) {
            (false, _) => Response::new(Full::default()),
            (true, true) => api.representation(arrival.document),
            (true, false) => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = api.change(&mut arrival, &body).try_into().unwrap();
                response
            }
        };
        api.arrivals.push(arrival);
        response
    };
    sleep(after).await;
    let (mut parts_of_answer, body) = response.into_parts();
    match mishap {
        Mishap::LoseBefore | Mishap::LoseAfter | Mishap::Defer => return Err(lost()),
        Mishap::Silence => std::future::pending::<()>().await,
        Mishap::FailBefore | Mishap::FailAfter => {
            parts_of_answer.status = http::StatusCode::INTERNAL_SERVER_ERROR;
        }
        Mishap::Nothing | Mishap::Late => {}
    }
    // Whose answer it is, so that nobody takes that of another.
    parts_of_answer.headers.insert("x-for", parts.headers["request-id"].clone());
    api.borrow_mut().arrivals[place].status = Some(parts_of_answer.status.as_u16());
    Ok(Response::from_parts(parts_of_answer, body))
}

fn arrival(api: &Api, headers: &HeaderMap, method: &Method, path: &str) -> Arrival {
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let document = path.strip_prefix("/documents/").unwrap().parse().unwrap();
    let lines = headers.get_all("if-match").iter().map(text);
    Arrival {
        id: text(&headers["request-id"]),
        method: method.clone(),
        document,
        if_match: lines
            .flat_map(|line| line.split(", ").map(str::to_owned).collect::<Vec<_>>())
            .collect(),
        token: headers.get("authorization").map(text),
        tag: api.documents[document].tag().to_owned(),
        state: api.documents[document].status.clone(),
        applied: None,
        status: None,
    }
}
