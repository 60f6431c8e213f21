//! What it costs to verify a token, by the algorithm that it is signed with.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench may fail by panicking")]

#[allow(dead_code, unreachable_pub, reason = "tests share it, and use all of it")]
#[path = "../harness/tokens.rs"]
mod tokens;

use tokens::{Signer, issuer, now};

use criterion::{Criterion, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use serde_json::json;

use std::hint::black_box;

/// As in the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn verified(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a token");
    let signers = [Signer::p256("ec"), Signer::ed25519("ed"), Signer::rsa("rsa")];
    let issuer = issuer("https://login.example/", &signers.each_ref().map(Signer::jwk));
    let claims = json!({
        "iss": issuer.name, "aud": "gate", "sub": "app", "exp": now() + 86_400, "iat": now(),
        "tid": "11111111-0000-4000-8000-000000000001", "roles": ["referrals.write"], "ver": "2.0",
    });
    for (algorithm, signer) in ["ES256", "EdDSA", "RS256"].into_iter().zip(&signers) {
        let header = json!({"alg": algorithm, "typ": "at+jwt", "kid": signer.id});
        let token = signer.token(&header.to_string(), &claims.to_string());
        let prove = || issuer.prove(black_box(&token), now()).is_some_and(|proof| proof.is_ok());
        assert!(prove());
        group.bench_function(algorithm, |bencher| bencher.iter(prove));
    }
    // What says that it is of another issuer is only read.
    let others = json!({"iss": "https://other.example/", "sub": "app", "exp": now() + 86_400});
    let token = signers[0].token(r#"{"alg":"ES256","typ":"at+jwt"}"#, &others.to_string());
    assert!(issuer.prove(&token, now()).is_none());
    let pass = || issuer.prove(black_box(&token), now()).is_none();
    group.bench_function("of another issuer", |bencher| bencher.iter(pass));
    group.finish();
}

criterion_group!(benches, verified);
criterion_main!(benches);
