//! Links in answers are led to the gateway, and nothing else is touched: random documents, written in
//! random ways and cut into random pieces.

use patchgate::config::{Source, load_policy, source};
use patchgate::policy::Route;
use patchgate::policy::links::{Addresses, Rewriter};
use patchgate::policy::pattern::Pattern;

use proptest::prelude::*;
use serde_json::Value;

use std::path::Path;
use std::sync::{Arc, LazyLock};

const PATTERNS: [&str; 4] = ["/next", "/links/*/uri", "/value/*/links/*/uri", "/any/**"];

/// A route with the patterns, made once.
static ROUTE: LazyLock<Arc<Route>> = LazyLock::new(|| {
    let policy = load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY)).unwrap();
    let route = policy.routes.iter().next().unwrap();
    let links = PATTERNS.iter().map(|text| Pattern::parse(text).unwrap()).collect();
    Arc::new(Route {
        links,
        id: route.id.clone(),
        audience: route.audience.clone(),
        template: route.template.clone(),
        methods: route.methods.clone(),
        params: Vec::new(),
        media_types: Vec::new(),
        resource: None,
        rules: Vec::new(),
        warn: Vec::new(),
        ..*route.as_ref()
    })
});

fn rewriter() -> Rewriter {
    let addresses = Addresses {
        theirs: vec!["https://api.example:443".into(), "https://api.example".into()],
        base: "/v2".into(),
        own: "https://gw.example/in".into(),
    };
    Rewriter::new(Arc::clone(&ROUTE), Arc::new(addresses))
}

/// What becomes of `text`, cut after every `lengths` bytes in turn.
fn rewritten(rewriter: &mut Rewriter, mut text: &[u8], lengths: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    for length in lengths.iter().cycle() {
        let (piece, rest) = text.split_at((*length).min(text.len()));
        rewriter.read(piece, &mut out);
        text = rest;
        if text.is_empty() {
            break;
        }
    }
    rewriter.end(&mut out);
    out
}

/// A piece of text: what it is, and what it is to become.
type Piece = (String, String);

fn plain(text: &str) -> Piece {
    (text.to_owned(), text.to_owned())
}

/// Whether a string at `path` is a link.
fn is_link(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(
        path.as_slice(),
        ["next"] | ["links", _, "uri"] | ["value", _, "links", _, "uri"] | ["any", ..]
    )
}

/// The text of `value`, with `styles` deciding how it is written.
fn write(value: &Value, path: &mut Vec<String>, styles: &mut impl Iterator<Item = u8>) -> Piece {
    let mut out = plain("");
    let mut add = |(was, is): Piece| {
        out.0.push_str(&was);
        out.1.push_str(&is);
    };
    let blank = |style: u8| plain(["", " ", "\n\t", "  "][usize::from(style % 4)]);
    add(blank(styles.next().unwrap()));
    match value {
        Value::Object(members) => {
            add(plain("{"));
            for (index, (name, value)) in members.iter().enumerate() {
                add(plain(if index > 0 { "," } else { "" }));
                add(plain(&quoted(name, styles.next().unwrap())));
                add(blank(styles.next().unwrap()));
                add(plain(":"));
                path.push(name.clone());
                add(write(value, path, styles));
                path.pop();
            }
            add(plain("}"));
        }
        Value::Array(elements) => {
            add(plain("["));
            for (index, value) in elements.iter().enumerate() {
                add(plain(if index > 0 { "," } else { "" }));
                path.push(index.to_string());
                add(write(value, path, styles));
                path.pop();
            }
            add(plain("]"));
        }
        Value::String(text) => {
            let style = styles.next().unwrap();
            let (origin, rest) = match text.split_once("/v2") {
                Some((origin, rest)) => (origin, rest),
                None => ("", ""),
            };
            let theirs = ["https://api.example", "HTTPS://API.example:443"].contains(&origin);
            let ends = rest.is_empty() || rest.starts_with(['/', '?', '#']);
            let was = quoted(text, style);
            let is = match theirs && ends && is_link(path) {
                true => format!("\"https://gw.example/in{}", &quoted(rest, style)[1..]),
                false => was.clone(),
            };
            add((was, is));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => add(plain(&value.to_string())),
    }
    add(blank(styles.next().unwrap()));
    out
}

/// `text` as a JSON string, in one of several ways.
fn quoted(text: &str, style: u8) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match (character, style % 4) {
            ('"' | '\\', _) => out.extend(['\\', character]),
            ('/', 1) => out.push_str("\\/"),
            ('&' | 'a' | 'n', 2) => out.push_str(&format!("\\u{:04x}", character as u32)),
            (_, 3) if character.is_ascii() => {
                out.push_str(&format!("\\u{:04X}", character as u32));
            }
            (character, _) if character < ' ' => {
                out.push_str(&format!("\\u{:04x}", character as u32));
            }
            (character, _) => out.push(character),
        }
    }
    out.push('"');
    out
}

fn text() -> impl Strategy<Value = String> {
    let origins = prop_oneof![
        Just("https://api.example"),
        Just("HTTPS://API.example:443"),
        Just("http://api.example"),
        Just("https://api.example:444"),
        Just("https://api.example.evil"),
        Just("https://user@api.example"),
        Just("https://evil.example/https://api.example"),
        Just(""),
    ];
    let bases = prop_oneof![3 => Just("/v2"), 1 => Just("/V2"), 1 => Just("/v1"), 1 => Just("")];
    let rests = prop_oneof![
        Just("".to_owned()),
        Just("/a?b=c&d".to_owned()),
        Just("?q".to_owned()),
        Just("2/a".to_owned()),
        Just("@evil.example/".to_owned()),
        Just("\\".to_owned()),
        "[\"\\\\/a-c\u{e9}\u{1F600}\u{1}]{0,6}",
    ];
    (origins, bases, rests).prop_map(|(origin, base, rest)| format!("{origin}{base}{rest}"))
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::from),
        1 => any::<i32>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("next"),
        Just("links"),
        Just("uri"),
        Just("value"),
        Just("any"),
        Just("self"),
        Just("0"),
    ];
    leaf.prop_recursive(6, 60, 4, move |inner| {
        prop_oneof![
            3 => prop::collection::vec((name.clone(), inner.clone()), 0..4).prop_map(|members| {
                let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(members.collect())
            }),
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
        ]
    })
}

/// What JSON is made of, and some that is none.
const PIECES: [&[u8]; 12] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\"next\":",
    b"x",
    b"\xff\x00",
    b"{\"next\"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn only_the_beginnings_of_links_to_the_api_change_however_it_is_written_and_cut(
        document in document(),
        styles in prop::collection::vec(any::<u8>(), 1..40),
        lengths in prop::collection::vec(1usize..30, 1..8),
    ) {
        let (was, is) = write(&document, &mut Vec::new(), &mut styles.into_iter().cycle());
        let made = rewritten(&mut rewriter(), was.as_bytes(), &lengths);
        prop_assert_eq!(String::from_utf8(made).unwrap(), is);
    }

    #[test]
    fn what_is_no_json_is_passed_on_and_harms_nobody(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40),
        lengths in prop::collection::vec(1usize..5, 1..4),
    ) {
        let text = pieces.concat();
        prop_assert_eq!(rewritten(&mut rewriter(), &text, &lengths), text);
    }
}

#[test]
fn a_link_that_is_too_long_and_a_document_that_is_too_deep_stay_as_they_are() {
    let long = format!(r#"{{"next":"https://api.example/v2/{}"}}"#, "x".repeat(9000));
    assert_eq!(rewritten(&mut rewriter(), long.as_bytes(), &[1000]), long.as_bytes());
    let deep = format!("{}{}", r#"{"any":["#.repeat(40), r#""https://api.example/v2"#);
    assert_eq!(rewritten(&mut rewriter(), deep.as_bytes(), &[7]), deep.as_bytes());
}
