//! Who is calling.

use crate::harness::*;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderName;
use patchgate::partner::{IdentitySource, Network, Unverified};
use patchgate::policy::Audience;
use patchgate::policy::graph::Takers;

fn bearer(claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("Authorization: Bearer {}.{}.sig\r\n", part(r#"{"alg":"none"}"#), part(claims))
}

#[test]
fn a_header_names_the_partner_and_does_not_go_upstream() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.only(by_header("x-partner-id"), &[partner("acme", 10)]);
    });
    assert_eq!(gateway.ask(patch_with("X-Partner-Id: acme\r\n", NOTES)).status, 200);
    assert_eq!(upstream.only_request().header("x-partner-id"), None);
    for lines in ["", "X-Partner-Id: other\r\n", "X-Partner-Id:\r\n"] {
        let reply = gateway.ask(patch_with(lines, NOTES));
        assert_eq!((reply.status, reply.code()), (401, "unidentified".to_owned()));
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    let twice = "X-Partner-Id: acme\r\nX-Partner-Id: acme\r\n";
    assert_eq!(gateway.ask(patch_with(twice, NOTES)).status, 400);
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(gateway.log()[0]["partner"], "acme");
}

/// The connection alone tells whether the header is believed. The test comes from 127.0.0.2, which is
/// not, and pretends to be 127.0.0.1 in every way that there is.
#[test]
fn rows_129_and_130_a_header_from_elsewhere_than_a_trusted_hop_says_nothing() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        let name = HeaderName::from_static("x-partner-id");
        let from = vec![Network::parse("127.0.0.1").unwrap()];
        setup.only(
            IdentitySource::Unverified(Unverified::Header { name, from }),
            &[partner("acme", 100)],
        );
        let forwarded = &mut setup.settings.proxy.origin.forwarded;
        forwarded.trusted = vec![Network::parse("127.0.0.0/8").unwrap()];
        setup.partners.unknown = Some(partner("everybody", 100));
    });
    let spoofs = [
        "",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "Forwarded: for=127.0.0.1\r\n",
        "X-Real-IP: 127.0.0.1\r\n",
        "X-Partner-Id: other\r\n",
        "X_Partner_Id: acme\r\n",
        "Cookie: X-Partner-Id=acme\r\n",
    ];
    for spoof in spoofs {
        let mut caller = Caller::from([127, 0, 0, 2], gateway.address);
        let lines = format!("X-Partner-Id: acme\r\n{spoof}");
        assert_eq!(caller.ask(patch_with(&lines, NOTES)).status, 200, "{spoof}");
    }
    let query = format!("{PATH}?X-Partner-Id=acme");
    let read = format!("GET {query} HTTP/1.1\r\nHost: gateway\r\n\r\n");
    assert_eq!(gateway.ask(read).status, 200);
    // The same from the hop that is believed.
    assert_eq!(gateway.ask(patch_with("X-Partner-Id: acme\r\n", NOTES)).status, 200);
    for sent in upstream.requests() {
        assert!(!sent.head.to_lowercase().replace('_', "-").contains("\nx-partner-id"));
    }
    let who: Vec<_> = gateway.log().iter().map(|line| line["partner"].clone()).collect();
    let mut expected = vec!["everybody"; spoofs.len() + 1];
    expected.push("acme");
    assert_eq!(who, expected);
}

#[test]
fn a_claim_of_an_unverified_token_names_the_partner_and_the_token_goes_upstream() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        let claims = vec!["azp".to_owned(), "appid".to_owned()];
        setup.only(
            IdentitySource::Unverified(Unverified::TokenClaims(claims)),
            &[partner("acme", 10)],
        );
    });
    let token = bearer(r#"{"appid":"acme","aud":["x"]}"#);
    assert_eq!(gateway.ask(patch_with(&token, NOTES)).status, 200);
    assert!(token.contains(upstream.only_request().header("authorization").unwrap()));
    for lines in [
        bearer(r#"{"azp":"other","appid":"acme"}"#),
        bearer(r#"{"azp":5}"#),
        bearer("x"),
        "Authorization: Bearer a.b\r\n".to_owned(),
        String::new(),
    ] {
        assert_eq!(gateway.ask(patch_with(&lines, NOTES)).status, 401, "{lines}");
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_step_that_is_for_others_is_refused_at_once_without_saying_for_whom() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        let known = [partner("signer", 10), partner("acme", 10)];
        setup.only(by_header("x-partner-id"), &known);
    });
    let sign = r#"[{"op":"replace","path":"/status","value":"Signed"}]"#;
    let reply = gateway.ask(patch_with("X-Partner-Id: acme\r\n", sign));
    assert_eq!((reply.status, reply.code()), (409, "refused".to_owned()));
    assert_eq!(reply.json()["errors"][0]["code"], "transition-forbidden");
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(text.contains("is for other partners or roles"), "{text}");
    assert!(!text.contains("signer"), "{text}");
    assert_eq!(upstream.requests().len(), 0, "no state can make it right");
    assert_eq!(gateway.ask(patch_with("X-Partner-Id: signer\r\n", sign)).status, 200);
    assert_eq!(upstream.requests().len(), 2);
}

/// Even where the policy only observes, and would have to read the current state.
#[test]
fn a_route_that_is_not_open_to_the_caller_ends_before_anything_is_read_and_counts() {
    for counts in [true, false] {
        let upstream = Upstream::start([]);
        let gateway = Gateway::with(&upstream, |setup| {
            let known = [partner("signer", 10), partner("acme", 2)];
            setup.only(by_header("x-partner-id"), &known);
            setup.partners.unknown = Some(partner("everybody", 2));
            setup.audience.takers = Takers { partners: vec![], roles: vec!["signer".to_owned()] };
            setup.observe = true;
            setup.limits.terms.counts_refused = counts;
        });
        for (who, status, code) in [("acme", 403, "not-admitted"), ("else", 401, "unidentified")] {
            for turn in 0..4 {
                // The body never comes.
                let head =
                    patch_with(&format!("X-Partner-Id: {who}\r\n"), STATUS).replace(STATUS, "");
                let reply = gateway.ask(head);
                let expected =
                    if counts && turn > 1 { (429, "rate-limited") } else { (status, code) };
                assert_eq!((reply.status, &*reply.code()), expected, "{who} {turn}");
                let challenges = reply.header("www-authenticate");
                assert_eq!(challenges.is_some(), reply.status == 401);
                assert!(!String::from_utf8_lossy(&reply.body).contains("signer"));
            }
        }
        let read = format!("GET {PATH} HTTP/1.1\r\nHost: g\r\nX-Partner-Id: acme\r\n\r\n");
        assert_eq!(gateway.ask(read).status, if counts { 429 } else { 403 });
        assert_eq!(upstream.connections(), 0);
        assert_eq!(gateway.ask(patch_with("X-Partner-Id: signer\r\n", STATUS)).status, 200);
        let log = gateway.log();
        assert_eq!(
            (&log[0]["partner"], &log[0]["route"]),
            (&"acme".into(), &"referral-patch".into())
        );
    }
}

#[test]
fn a_route_for_known_callers_asks_the_others_who_they_are() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.only(by_header("x-partner-id"), &[partner("acme", 10)]);
        setup.partners.unknown = Some(partner("everybody", 10));
        setup.audience = Audience { known: true, ..Audience::default() };
    });
    for (lines, status) in
        [("", 401), ("X-Partner-Id: everybody\r\n", 401), ("X-Partner-Id: acme\r\n", 200)]
    {
        let reply = gateway.ask(patch_with(lines, NOTES));
        assert_eq!(
            (reply.status, reply.header("www-authenticate").is_some()),
            (status, status == 401)
        );
    }
    assert_eq!(upstream.requests().len(), 1);
}
