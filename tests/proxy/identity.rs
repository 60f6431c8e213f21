//! Who is calling.

use crate::harness::*;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use patchgate::partner::IdentitySource;

fn bearer(claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("Authorization: Bearer {}.{}.sig\r\n", part(r#"{"alg":"none"}"#), part(claims))
}

#[test]
fn a_header_names_the_partner_and_does_not_go_upstream() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        setup.only(IdentitySource::Header("x-partner-id".into()), &[partner("acme", 10)]);
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

#[test]
fn a_claim_of_an_unverified_token_names_the_partner_and_the_token_goes_upstream() {
    let upstream = Upstream::start([]);
    let gateway = Gateway::with(&upstream, |setup| {
        let claims = vec!["azp".to_owned(), "appid".to_owned()];
        setup.only(IdentitySource::TokenClaims(claims), &[partner("acme", 10)]);
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
        setup.only(IdentitySource::Header("x-partner-id".into()), &known);
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
