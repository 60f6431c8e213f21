//! Tokens prove who is calling. What has been done to break them before, does not.

use crate::harness::*;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use patchgate::partner::token::{Algorithm, Keys};
use patchgate::partner::{IdentitySource, Issuer, Unverified, Verified};
use proptest::prelude::*;
use serde_json::{Value, json};

use std::collections::HashMap;
use std::sync::Arc;

const ISSUER: &str = "https://login.example/";
const OTHER: &str = "https://other.example/";
const HEADER: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"one"}"#;

fn claims() -> String {
    claims_with(json!({}))
}

/// The claims of a good token, changed by `other`: `null` takes one away.
fn claims_with(other: Value) -> String {
    let mut claims = json!({"iss": ISSUER, "aud": "gate", "sub": "app", "exp": now() + 300});
    for (name, value) in other.as_object().unwrap() {
        let claims = claims.as_object_mut().unwrap();
        match value.is_null() {
            true => claims.remove(name),
            false => claims.insert(name.clone(), value.clone()),
        };
    }
    claims.to_string()
}

/// Two issuers, each of which calls a partner `app`; whoever else says so in a token is called `said`.
fn gateway(upstream: &Upstream, first: Issuer, second: Issuer) -> Gateway {
    Gateway::with(upstream, |setup| {
        setup.only(
            IdentitySource::Unverified(Unverified::TokenClaims(vec!["sub".to_owned()])),
            &[partner("said", 1000)],
        );
        let named = |issuer: &Issuer, id| {
            (issuer.name.clone(), HashMap::from([("app".to_owned(), partner(id, 1000))]))
        };
        setup.partners.tokens = [named(&first, "acme"), named(&second, "plain")].into();
        let of_second = setup.partners.tokens.get_mut(&second.name).unwrap();
        of_second.insert("only-there".to_owned(), partner("plain", 1000));
        let sources = [first, second].map(|issuer| Verified::Token(Arc::new(issuer)));
        setup.partners.identity.splice(0..0, sources.map(IdentitySource::Verified));
        setup.partners.unknown = Some(partner("everybody", 1000));
    })
}

fn ask(gateway: &Gateway, token: &str) -> Reply {
    gateway.ask(patch_with(&format!("Authorization: Bearer {token}\r\n"), NOTES))
}

/// Those who send each of `tokens`, as the gateway's log has them.
fn callers(first: Issuer, second: Issuer, tokens: &[String]) -> Vec<Value> {
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream, first, second);
    for token in tokens {
        ask(&gateway, token);
    }
    gateway.log().iter().map(|line| line["partner"].clone()).collect()
}

#[test]
fn a_token_proves_who_is_calling_whatever_its_algorithm_and_goes_upstream() {
    let signers =
        [Signer::p256("one"), Signer::p384("two"), Signer::ed25519("three"), Signer::rsa("four")];
    let keys: Vec<Value> = signers.iter().map(Signer::jwk).collect();
    let upstream = Upstream::start([]);
    let gateway = gateway(&upstream, issuer(ISSUER, &keys), issuer(OTHER, &keys));
    let mut sent = 0;
    for (algorithms, signer) in [
        (&["ES256"][..], &signers[0]),
        (&["ES384"], &signers[1]),
        (&["EdDSA"], &signers[2]),
        (&["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], &signers[3]),
    ] {
        for algorithm in algorithms {
            let id = signer.id;
            let header = json!({"alg": algorithm, "typ": "Application/AT+JWT", "kid": id});
            let token = signer.token(&header.to_string(), &claims());
            assert_eq!(ask(&gateway, &token).status, 200, "{algorithm}");
            let shown = format!("Bearer {token}");
            assert_eq!(upstream.requests()[sent].header("authorization"), Some(&*shown));
            sent += 1;
        }
    }
    let text = gateway.log_text();
    assert!(!text.contains("eyJ"), "{text}");
    assert!(gateway.log().iter().all(|line| line["partner"] == "acme"));
}

#[test]
fn times_audiences_and_claims_that_are_good_are_taken() {
    let signer = Signer::p256("one");
    let good = [
        json!({"aud": "api://gate"}),
        json!({"aud": ["x", "gate"]}),
        json!({"exp": now() - 30}),
        json!({"exp": 1e15}),
        json!({"exp": now() as f64 + 10.5}),
        json!({"nbf": now() + 30, "iat": now() + 30}),
        json!({"nbf": 0, "iat": 0, "more": [{"deep": null}]}),
    ];
    let tokens: Vec<String> =
        good.iter().map(|other| signer.token(HEADER, &claims_with(other.clone()))).collect();
    let (first, second) = (issuer(ISSUER, &[signer.jwk()]), issuer(OTHER, &[signer.jwk()]));
    assert_eq!(callers(first, second, &tokens), vec!["acme"; good.len()]);
}

#[test]
fn whoever_has_no_name_here_is_among_the_unknown_and_an_issuer_names_its_own_alone() {
    let (mine, theirs) = (Signer::p256("one"), Signer::p256("one"));
    let tokens = [
        // Nobody's subject; and what only an unverified token names, a verified one does not.
        mine.token(HEADER, &claims_with(json!({"sub": "else"}))),
        mine.token(HEADER, &claims_with(json!({"sub": "said"}))),
        mine.token(HEADER, &claims_with(json!({"sub": "acme"}))),
        mine.token(HEADER, &claims_with(json!({"sub": "only-there"}))),
        theirs.token(HEADER, &claims_with(json!({"iss": OTHER}))),
        // Of a third issuer: it is what it says, and can say nothing that is proven.
        theirs.token(HEADER, &claims_with(json!({"iss": "https://third.example/"}))),
        theirs.token(HEADER, &claims_with(json!({"iss": "x", "sub": "said"}))),
        theirs.token(HEADER, &claims_with(json!({"iss": [ISSUER]}))),
        "opaque".to_owned(),
    ];
    let (first, second) = (issuer(ISSUER, &[mine.jwk()]), issuer(OTHER, &[theirs.jwk()]));
    let who = callers(first, second, &tokens);
    let unknown = "everybody";
    assert_eq!(
        who,
        [unknown, unknown, unknown, unknown, "plain", unknown, "said", unknown, unknown]
    );
}

/// Each of them says that it is of the issuer, so that none is among the unknown callers, who would be
/// let in.
#[test]
fn a_token_that_proves_nothing_is_refused_without_a_word_why() {
    let signer = Signer::p256("one");
    let (rsa, other, attacker) = (Signer::rsa("rsa"), Signer::p256("other"), Signer::p256("one"));
    let p384 = Signer::p384("p384");
    let upstream = Upstream::start([]);
    let keys = [signer.jwk(), rsa.jwk(), p384.jwk()];
    let mut first = issuer(ISSUER, &keys);
    first.algorithms.retain(|algorithm| *algorithm != Algorithm::Rs512);
    let gateway = gateway(&upstream, first, issuer(OTHER, &[other.jwk()]));
    let good = signer.token(HEADER, &claims());
    let mut tokens: Vec<(String, String)> = Vec::new();
    let mut bad = |what: &str, token: String| tokens.push((what.to_owned(), token));

    for name in ["none", "None", "nOnE", "NONE", "", "HS256", "es256", "ES512", "ES256K", "RS1"] {
        let header = json!({"alg": name, "typ": "at+jwt", "kid": "one"}).to_string();
        bad(name, token(&header, &claims(), |_| Vec::new()));
        bad(name, signer.token(&header, &claims()));
    }
    let header = |more: Value| {
        let mut header: Value = serde_json::from_str(HEADER).unwrap();
        for (name, value) in more.as_object().unwrap() {
            header[name] = value.clone();
        }
        header.to_string()
    };
    for public in [
        rsa.public().to_vec(),
        rsa.jwk().to_string().into_bytes(),
        format!("-----BEGIN RSA PUBLIC KEY-----\n{}\n", STANDARD.encode(rsa.public())).into_bytes(),
        signer.public().to_vec(),
    ] {
        for id in ["rsa", "one"] {
            let header = header(json!({"alg": "HS256", "kid": id}));
            let key = hmac::Key::new(hmac::HMAC_SHA256, &public);
            let mac = |signed: &[u8]| hmac::sign(&key, signed).as_ref().to_vec();
            bad("a shared secret", token(&header, &claims(), mac));
        }
    }
    for id in [
        json!("other"),
        json!("../one"),
        json!("' OR 1=1 --"),
        json!(""),
        json!(1),
        json!(["one"]),
        json!(null),
        json!("p384"),
        json!("rsa"),
    ] {
        bad("kid", signer.token(&header(json!({"kid": id})), &claims()));
    }
    let no_id = header(json!({})).replace(r#""kid":"one","#, "").replace(r#","kid":"one""#, "");
    bad("no kid, and of another's key", attacker.token(&no_id, &claims()));
    for (alg, id) in
        [("RS256", "one"), ("ES256", "rsa"), ("ES384", "one"), ("ES256", "p384"), ("EdDSA", "one")]
    {
        bad("alg of another key", signer.token(&header(json!({"alg": alg, "kid": id})), &claims()));
        bad("alg of another key", rsa.token(&header(json!({"alg": alg, "kid": id})), &claims()));
        bad("alg of another key", p384.token(&header(json!({"alg": alg, "kid": id})), &claims()));
    }
    bad("not allowed", rsa.token(&header(json!({"alg": "RS512", "kid": "rsa"})), &claims()));
    bad("PSS as PKCS 1", {
        let header = header(json!({"alg": "RS256", "kid": "rsa"}));
        token(&header, &claims(), |signed| rsa.sign("PS256", signed))
    });
    bad("another's key", attacker.token(HEADER, &claims()));
    bad("the key of another issuer", other.token(&header(json!({"kid": "other"})), &claims()));
    for more in [
        json!({"jwk": attacker.jwk()}),
        json!({"jku": "https://attacker.example/keys"}),
        json!({"x5u": "https://attacker.example/chain"}),
        json!({"x5c": ["MIIB"], "x5t": "AAAA"}),
    ] {
        bad("a key that it brings along", attacker.token(&header(more), &claims()));
    }
    for more in [
        json!({"crit": ["exp"], "exp": 1}),
        json!({"crit": []}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"typ": "JWT"}),
        json!({"typ": null}),
        json!({"typ": "dpop+jwt"}),
        json!({"typ": "x/at+jwt"}),
    ] {
        bad("header", signer.token(&header(more), &claims()));
    }
    bad("no typ", signer.token(r#"{"alg":"ES256","kid":"one"}"#, &claims()));
    for text in
        ["", "{", "[]", "null", r#"{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"one"}"#]
    {
        let sign = |signed: &[u8]| signer.sign("ES256", signed);
        bad("an unreadable header", token(text, &claims(), sign));
    }

    for other in [
        json!({"exp": now() - 61}),
        json!({"exp": 0}),
        json!({"exp": -1}),
        json!({"exp": null}),
        json!({"exp": "9999999999"}),
        json!({"exp": true}),
        json!({"exp": [now() + 300]}),
        json!({"exp": {}}),
        json!({"nbf": now() + 90}),
        json!({"nbf": "0"}),
        json!({"nbf": 1e300}),
        json!({"nbf": -1}),
        json!({"iat": now() + 90}),
        json!({"iat": "0"}),
        json!({"aud": "other"}),
        json!({"aud": "Gate"}),
        json!({"aud": "gate/"}),
        json!({"aud": ["x"]}),
        json!({"aud": []}),
        json!({"aud": ["gate", 1]}),
        json!({"aud": [["gate"]]}),
        json!({"aud": {"gate": 1}}),
        json!({"aud": null}),
        json!({"aud": ""}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": ["app"]}),
        json!({"sub": 7}),
    ] {
        bad("claims", signer.token(HEADER, &claims_with(other)));
    }

    let (signed, signature) = good.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bad("no signature", format!("{signed}."));
    bad("zeroes", format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 64])));
    bad("all ones", format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0xff; 64])));
    bad("cut off", format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&raw[..63])));
    bad("too long", format!("{signed}.{}", URL_SAFE_NO_PAD.encode([&raw[..], &[0]].concat())));
    let integer = |half: &[u8]| [&[2, 33, 0][..], half].concat();
    let der = [&[0x30, 70][..], &integer(&raw[..32]), &integer(&raw[32..])].concat();
    bad("as DER", format!("{signed}.{}", URL_SAFE_NO_PAD.encode(der)));
    bad("padded", format!("{signed}.{}", URL_SAFE.encode(&raw)));
    bad("other alphabet", format!("{signed}.{}+", &signature[..signature.len() - 1]));
    bad("blank", format!("{signed}. {signature}"));
    let elsewhere = signer.token(HEADER, &claims_with(json!({"sub": "else"})));
    let (_, of_another) = elsewhere.rsplit_once('.').unwrap();
    bad("the signature of another token", format!("{signed}.{of_another}"));
    let swapped = claims_with(json!({"sub": "else", "aud": "x"}));
    let (header_part, _) = good.split_once('.').unwrap();
    let payload = URL_SAFE_NO_PAD.encode(swapped);
    bad("other claims", format!("{header_part}.{payload}.{signature}"));
    // The last digit of a signature holds bits that count for nothing.
    let last = signature.chars().last().unwrap();
    let twin = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = twin.find(last).unwrap();
    let twin = &twin[place + 1..place + 2];
    bad("another spelling", format!("{signed}.{}{twin}", &signature[..signature.len() - 1]));

    assert!(tokens.len() > 100, "{}", tokens.len());
    for (what, token) in &tokens {
        let reply = ask(&gateway, token);
        assert_eq!(
            (reply.status, reply.code()),
            (401, "unidentified".to_owned()),
            "{what}: {token}"
        );
        let challenge = reply.header("www-authenticate");
        assert_eq!(challenge, Some(r#"Bearer error="invalid_token""#), "{what}");
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        for word in ["signature", "expired", "aud", "issuer", "kid", "alg\""] {
            assert!(!text.contains(word), "{text}");
        }
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(ask(&gateway, &good).status, 200, "only the others are bad");
    let log = gateway.log();
    assert!(log[..tokens.len()].iter().all(|line| line["partner"].is_null()));
}

/// Texts that are no token of an issuer at all: callers like others, who prove nothing.
#[test]
fn what_does_not_read_as_a_token_proves_nothing() {
    let signer = Signer::p256("one");
    let good = signer.token(HEADER, &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let sign = |claims: &str| signer.token(HEADER, claims);
    let twice = claims().replacen('{', &format!("{{\"iss\":\"{ISSUER}\","), 1);
    let tokens = [
        format!("{good}.{signature}"),
        format!("{good}."),
        signed.to_owned(),
        format!(".{payload}."),
        format!("{header}..{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!(
            "{{\"protected\":\"{header}\",\"payload\":\"{payload}\",\"signature\":\"{signature}\"}}"
        ),
        sign(&twice),
        sign(&claims().replacen('{', r#"{"sub":"said","sub":"app","#, 1)),
        sign(&claims().replace(&(now() + 300).to_string(), "1e400")),
        sign(&format!("{} ", claims()).replace(ISSUER, &ISSUER.to_uppercase())),
        sign(&format!("{} {{}}", claims())),
        sign(&claims_with(json!({"more": "x".repeat(9000)}))),
        sign("[]"),
        sign(""),
        format!("{} ", good.to_uppercase()),
    ];
    let issuers = || (issuer(ISSUER, &[signer.jwk()]), issuer(OTHER, &[signer.jwk()]));
    let (first, second) = issuers();
    let who = callers(first, second, &tokens);
    assert!(who.iter().all(|who| !["acme", "plain"].iter().any(|name| who == name)), "{who:?}");

    // Where others are refused, nothing of it gets through.
    let upstream = Upstream::start([]);
    let (first, _) = issuers();
    let gateway = Gateway::with(&upstream, |setup| {
        setup.only(IdentitySource::Verified(Verified::Token(Arc::new(first))), &[]);
        let named = HashMap::from([("app".to_owned(), partner("acme", 1000))]);
        setup.partners.tokens = HashMap::from([(ISSUER.to_owned(), named)]);
    });
    for token in &tokens {
        assert_eq!(ask(&gateway, token).status, 401, "{token}");
    }
    for lines in [
        String::new(),
        format!("Authorization: Basic {good}\r\n"),
        format!("Authorization: {good}\r\n"),
        format!("X-Authorization: Bearer {good}\r\n"),
        format!("Cookie: Authorization=Bearer {good}\r\n"),
    ] {
        let reply = gateway.ask(patch_with(&lines, NOTES));
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")));
    }
    let twice = format!("Authorization: Bearer {good}\r\nAuthorization: Bearer {good}\r\n");
    assert_eq!(gateway.ask(patch_with(&twice, NOTES)).status, 400);
    assert_eq!(upstream.connections(), 0);
    assert_eq!(
        gateway.ask(patch_with(&format!("authorization: bEARER {good}\r\n"), NOTES)).status,
        200
    );
}

#[test]
fn a_token_without_a_key_id_is_of_the_only_key_that_fits() {
    let (one, two) = (Signer::p256("one"), Signer::p256("two"));
    let header = r#"{"alg":"ES256","typ":"at+jwt"}"#;
    let ask = |keys: &[Value]| {
        let issuer = issuer(ISSUER, keys);
        issuer.prove(&one.token(header, &claims()), now()).unwrap().is_ok()
    };
    assert!(ask(&[one.jwk()]));
    assert!(ask(&[one.jwk(), Signer::rsa("r").jwk()]));
    assert!(!ask(&[one.jwk(), two.jwk()]));
    let mut encrypts = two.jwk();
    encrypts["use"] = "enc".into();
    assert!(ask(&[one.jwk(), encrypts]));
}

#[test]
fn keys_that_are_secret_or_weak_or_no_keys_are_faults() {
    let signer = Signer::p256("one");
    let (jwk, rsa) = (signer.jwk(), Signer::rsa("rsa").jwk());
    let with = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key
    };
    let short = URL_SAFE_NO_PAD.encode([0xff; 128]);
    let read = |keys: &Value| Keys::read(json!({ "keys": keys }).to_string().as_bytes());
    for (what, key) in [
        ("secret", with(&jwk, "d", json!("AAAA"))),
        ("secret", with(&rsa, "p", json!("AAAA"))),
        ("secret", json!({"kty": "oct", "k": "c2VjcmV0LW1hcmtlcg"})),
        ("secret", json!({"kty": "oct"})),
        ("2048", with(&rsa, "n", json!(short))),
        ("no RSA key", with(&rsa, "e", json!("AQ"))),
        ("no RSA key", with(&rsa, "e", json!("AQAA"))),
        ("no RSA key", with(&rsa, "e", json!(""))),
        ("its curve", with(&jwk, "y", jwk["x"].clone())),
        ("coordinate", with(&jwk, "y", json!("AAAA"))),
        ("base64url", with(&jwk, "y", json!("AA=="))),
        ("lacks", with(&jwk, "y", json!(7))),
        ("string", with(&jwk, "kid", json!(7))),
        ("`kty`", json!({"kid": "x"})),
        ("no object", json!("x")),
        ("`alg`", with(&jwk, "alg", json!("RS256"))),
    ] {
        let fault = read(&json!([jwk, key])).unwrap_err();
        assert!(fault.contains(what) && fault.ends_with("/keys/1"), "{what}: {fault}");
        assert!(!fault.contains("c2VjcmV0"), "{fault}");
    }
    let fault = read(&json!([jwk, jwk])).unwrap_err();
    assert!(fault.contains("two keys"), "{fault}");
    for unusable in [
        json!([]),
        json!([with(&jwk, "use", json!("enc"))]),
        json!([with(&jwk, "key_ops", json!(["sign"]))]),
        json!([with(&jwk, "crv", json!("secp256k1"))]),
        json!([with(&jwk, "alg", json!("ECDH-ES"))]),
        json!([{"kty": "later"}]),
    ] {
        assert!(read(&unusable).unwrap_err().contains("no key that verifies"), "{unusable}");
    }
    for text in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(Keys::read(text.as_bytes()).unwrap_err().contains("no set of keys"), "{text}");
    }
    let usable = with(&with(&jwk, "use", json!("sig")), "key_ops", json!(["verify"]));
    assert!(read(&json!([with(&usable, "alg", json!("ES256")), {"kty": "later"}])).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// One byte of a good token is another, and it is good no more.
    #[test]
    fn no_byte_of_a_token_can_be_another(place in any::<prop::sample::Index>(), byte in 0x21u8..0x7f) {
        thread_local! {
            static GOOD: (Issuer, String) = {
                let signer = Signer::p256("one");
                (issuer(ISSUER, &[signer.jwk()]), signer.token(HEADER, &claims()))
            };
        }
        GOOD.with(|(issuer, good)| {
            let mut bytes = good.clone().into_bytes();
            let place = place.index(bytes.len());
            prop_assume!(bytes[place] != byte);
            bytes[place] = byte;
            let proven = issuer.prove(&String::from_utf8(bytes).unwrap(), now());
            prop_assert!(!matches!(proven, Some(Ok(_))));
            prop_assert!(matches!(issuer.prove(good, now()), Some(Ok(_))));
            Ok(())
        })?;
    }
}
