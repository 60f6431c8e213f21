//! Paths and hosts: what is taken is read alike by every parser, and leads where the templates say.

use crate::promises::route::keeping;

use patchgate::policy::route::Param;
use patchgate::policy::schema::Schema;
use patchgate::policy::{NormalPath, Resolution, Route, Routes};
use patchgate::proxy::headers::is_host;

use http::Uri;
use http::uri::Authority;
use regex::bytes::Regex;
use serde_json::json;

use std::net::Ipv6Addr;
use std::sync::{Arc, LazyLock};

/// The first line of the input is a request target, the rest is a host.
pub fn run(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (target, host) = input.split_at(end);
    hosts(host.get(1..).unwrap_or_default());
    let Ok(target) = std::str::from_utf8(target) else { return };
    paths(target);
    if let Ok(uri) = Uri::try_from(target) {
        paths(uri.path());
    }
}

/// Whether `host` is a name or an address with or without a port, told by a pattern.
pub fn is_one_host(host: &[u8]) -> bool {
    static HOST: LazyLock<Regex> = LazyLock::new(|| {
        let one = r"(?-u)\A(?:\[([0-9A-Fa-f:.]+)\]|[A-Za-z0-9._~-]+)(?::[0-9]*)?\z";
        Regex::new(one).expect("a pattern")
    });
    HOST.captures(host).is_some_and(|parts| {
        let address = parts.get(1).and_then(|inner| std::str::from_utf8(inner.as_bytes()).ok());
        address.is_none_or(|address| address.parse::<Ipv6Addr>().is_ok())
    })
}

fn hosts(host: &[u8]) {
    let taken = is_host(host);
    assert_eq!(taken, is_one_host(host), "{}", host.escape_ascii());
    if taken {
        let authority = Authority::try_from(host).expect("the parser behind takes it");
        assert_eq!(authority.as_str().as_bytes(), host);
        let port = host.strip_prefix(authority.host().as_bytes()).expect("it begins with a name");
        assert!(port.is_empty() || port.starts_with(b":"), "{authority}");
    }
}

fn paths(path: &str) {
    let normal = NormalPath::of(path);
    let trimmed = path.trim_end_matches('/');
    let alike = !trimmed.is_empty() && READINGS.iter().all(|read| read(trimmed) == trimmed);
    assert_eq!(normal.is_some(), alike, "{path:?}");
    let Some(normal) = normal else { return };
    assert_eq!(normal.as_str(), trimmed);
    let uri = Uri::try_from(normal.as_str()).expect("the parser behind takes it");
    assert_eq!((uri.path(), uri.query()), (trimmed, None));
    assert_eq!(NormalPath::of(trimmed).as_ref().map(NormalPath::as_str), Some(trimmed));
    for method in ["PATCH", "GET"] {
        let found = match ROUTES.resolve(method, &normal) {
            Resolution::Found(route) => Some(&*route.id),
            Resolution::MethodNotAllowed(allowed) => {
                assert_eq!(allowed, ["PATCH"]);
                None
            }
            Resolution::Unknown => None,
        };
        let led = leads(trimmed, path.len() - trimmed.len()).filter(|_| method == "PATCH");
        assert_eq!(found, led, "{method} {path}");
    }
}

/// How other parsers may read a path: of what they leave as it is, none makes another.
const READINGS: [fn(&str) -> String; 7] = [
    // Escapes are resolved, and those that are none in any way.
    |path| path.replace('%', "\0"),
    // A backslash is a slash.
    |path| path.replace('\\', "/"),
    // Parameters of a segment are dropped.
    |path| path.split(';').next().unwrap_or_default().to_owned(),
    // Slashes are merged.
    |path| path.replace("//", "/"),
    // Queries and fragments are cut off.
    |path| path.split(['?', '#']).next().unwrap_or_default().to_owned(),
    // Dots are resolved (RFC 3986 §5.2.4).
    |path| {
        let mut read: Vec<&str> = Vec::new();
        for segment in path.split('/').skip(1) {
            match segment {
                "." => {}
                ".." => drop(read.pop()),
                other => read.push(other),
            }
        }
        read.iter().map(|segment| format!("/{segment}")).collect()
    },
    // What is no character of a segment (RFC 3986 §3.3) is dropped.
    |path| {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@%".contains(*c);
        path.chars().filter(is_plain).collect()
    },
];

/// Templates that meet, the more exact ones first.
const TEMPLATES: [(&str, usize); 5] =
    [("/a/b", 0), ("/a/{id}", 1), ("/a/{id}/c", 0), ("/{any}/b/c", 2), ("/v1.0/x/{guid}", 2)];

static ROUTES: LazyLock<Routes> = LazyLock::new(|| {
    let schema = Arc::new(Schema::new(&json!({})).expect("a schema"));
    let route = |(template, trailing_slashes): &(&str, usize)| Route {
        id: (*template).into(),
        template: (*template).into(),
        params: match template.contains("guid") {
            true => vec![("guid".into(), Param::Guid)],
            false => Vec::new(),
        },
        trailing_slashes: *trailing_slashes,
        ..keeping("/other", &schema)
    };
    Routes::new(TEMPLATES.iter().map(route).map(Arc::new).collect()).expect("routes")
});

/// The template that `path` follows, told segment by segment.
fn leads(path: &str, slashes: usize) -> Option<&'static str> {
    let segments: Vec<_> = path.split('/').collect();
    let follows = |template: &str| {
        let parts: Vec<_> = template.split('/').collect();
        let alike = |(part, segment): (&&str, &&str)| part.starts_with('{') || part == segment;
        parts.len() == segments.len() && parts.iter().zip(&segments).all(alike)
    };
    let is_guid = |text: &str| {
        let lengths: Vec<_> = text.split('-').map(str::len).collect();
        lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
    };
    let found = TEMPLATES.iter().find(|(template, _)| follows(template))?;
    let fits = !found.0.contains("guid") || segments.last().is_some_and(|text| is_guid(text));
    (fits && slashes <= found.1).then_some(found.0)
}
