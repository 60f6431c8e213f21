//! The page: how the gateway stands, in a browser. All of it is in the program, and it asks nobody else
//! for anything.

use super::desk::{Answer, json, text, typed};

use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};

const HTML: &str = include_str!("page/page.html");
const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");

/// Nothing but its own script, style, and answers of this listener; nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A graph, drawn.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Picture {
    /// The name of the resource.
    pub resource: String,
    /// It, as SVG without a style of its own.
    pub svg: String,
    /// For each line in it the steps that it stands for.
    pub lines: Vec<Vec<(String, String)>>,
}

/// What is asked of the judge.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The id of the route.
    pub route: String,
    /// The id of the partner that calls; nothing for one that nobody knows.
    #[serde(default)]
    pub partner: String,
    /// The value of `If-Match`, if it is sent.
    #[serde(default)]
    pub if_match: Option<String>,
    /// The body.
    pub body: String,
    /// The document that is stored now, if it is known.
    #[serde(default)]
    pub current: Option<String>,
}

/// What is served at `path`, if that is a part of the page. `style` is that of the pictures.
pub(super) fn part(path: &str, style: &str) -> Option<Answer> {
    match path {
        "/" => {
            let mut page = typed(text(StatusCode::OK, HTML), "text/html; charset=utf-8");
            let headers = page.headers_mut();
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            Some(page)
        }
        "/page.css" => {
            Some(typed(text(StatusCode::OK, format!("{STYLE}{style}")), "text/css; charset=utf-8"))
        }
        "/page.js" => Some(typed(text(StatusCode::OK, SCRIPT), "text/javascript; charset=utf-8")),
        _ => None,
    }
}

/// `pictures` of the policy in the configuration `digest`.
pub(super) fn pictures(digest: &str, pictures: &[Picture]) -> Answer {
    let said = serde_json::json!({ "digest": digest, "pictures": pictures });
    json(StatusCode::OK, said.to_string())
}
