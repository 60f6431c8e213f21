//! What it costs to read a patch and to judge it by the shipped policy.
#![allow(clippy::expect_used, clippy::panic, reason = "a bench may fail by panicking")]

use patchgate::config::{Source, load_policy};
use patchgate::policy::{
    Caller, ErrorForm, Facts, IfMatch, NormalPath, Policy, Resolution, Route, Verdict,
};
use patchgate::proxy::fields::Fields;
use patchgate::proxy::problem::{self, Manner, Wanted};
use patchgate::proxy::rejection::Rejection;
use patchgate::proxy::trail::Trail;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use http::Method;
use mimalloc::MiMalloc;

use std::fs;
use std::hint::black_box;
use std::path::Path;

/// As in the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const SAMPLE: &str = r#"[{"op":"replace","path":"/details/dealValue","value":"10000"},{"op":"replace","path":"/details/notes","value":"Lorem ipsum dolor sit amet."}]"#;
const PAIR: &str = r#"[{"op":"replace","path":"/status","value":"Closed"},{"op":"replace","path":"/substatus","value":"Won"}]"#;
const REFUSED: &str = r#"[{"op":"remove","path":"/details/notes"},{"op":"replace","path":"/detials/notes","value":"n"},{"op":"replace","path":"/status","value":"Closed"}]"#;

/// The shipped policy, with `more` said of the route for patches.
fn policy(more: &str) -> Policy {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = root.join("config/policies/partner-center-referrals.yaml");
    let text = fs::read_to_string(shipped).expect("the shipped policy");
    let schema = root.join("schemas/referral.schema.json").display().to_string();
    let text = text.replace("../../schemas/referral.schema.json", &schema);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policy.yaml");
    fs::write(&path, format!("{text}\n{more}\n")).expect("a file");
    load_policy(Source::Disk, &path).unwrap_or_else(|errors| panic!("{errors}"))
}

fn route(policy: &Policy) -> &Route {
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("a normal form");
    match policy.routes.resolve("PATCH", &path) {
        Resolution::Found(route) => route,
        Resolution::MethodNotAllowed(_) | Resolution::Unknown => panic!("no route"),
    }
}

/// A patch of so many ops: members of the team, and notes.
fn patch(ops: usize) -> Bytes {
    let op = |index: usize| match index % 2 {
        0 => format!(
            r#"{{"op": "add", "path": "/team/-", "value": {{"email": "user{index}@contoso.com", "firstName": "Jane", "lastName": "Doe{index}", "phoneNumber": "{index:010}"}}}}"#
        ),
        _ => format!(
            r#"{{"op": "replace", "path": "/details/notes", "value": "Lorem ipsum dolor sit amet, note {index}."}}"#
        ),
    };
    Bytes::from(format!("[{}]", (0..ops).map(op).collect::<Vec<_>>().join(", ")))
}

fn judge(policy: &Policy, route: &Route, body: &Bytes) -> Verdict {
    let facts = Facts::read(route, Caller::default(), &IfMatch::Absent, black_box(body));
    policy.judge(&facts, None).verdict
}

fn permits(criterion: &mut Criterion) {
    let policy = policy("    bounds: { ops: 100000, values: 1000000 }");
    let route = route(&policy);
    let mut group = criterion.benchmark_group("read and judge");
    for (name, body) in [("sample 1", Bytes::from(SAMPLE)), ("needs the state", Bytes::from(PAIR))]
    {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| judge(&policy, route, &body)));
    }
    for ops in [100, 538, 1076, 5380] {
        let body = patch(ops);
        assert!(matches!(judge(&policy, route, &body), Verdict::Permit(_)));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("ops", ops), &body, |bencher, body| {
            bencher.iter(|| judge(&policy, route, body));
        });
    }
    group.finish();
}

fn refusals(criterion: &mut Criterion) {
    let policy = policy("");
    let route = route(&policy);
    let mut group = criterion.benchmark_group("refuse");
    let body = Bytes::from(REFUSED);
    group.bench_function("with its full explanation", |bencher| {
        bencher.iter(|| {
            let Verdict::Refuse(found) = judge(&policy, route, &body) else { panic!("a permit") };
            let trail = Trail::begin(Method::PATCH, None);
            let wanted = Wanted::read(&Fields::default());
            let manner = Manner { form: ErrorForm::Problem, wanted, own: "patchgate" };
            problem::answer(&Rejection::Refused(found), manner, &trail)
        });
    });
    for (name, body) in [
        ("300 000 ops", patch(300_000)),
        ("400 000 levels", Bytes::from("[".repeat(400_000))),
        ("400 000 levels in a value", {
            let value = "[".repeat(400_000);
            Bytes::from(format!(r#"[{{"op":"add","path":"/details/notes","value":{value}"#))
        }),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let Verdict::Refuse(found) = judge(&policy, route, &body) else {
                    panic!("a permit")
                };
                found
            });
        });
    }
    group.finish();
}

/// Judges a patch of so many ops as often as that, for whoever counts instructions.
fn judge_often(ops: usize, times: usize) {
    let policy = policy("    bounds: { ops: 1000 }");
    let (route, body) = (route(&policy), patch(ops));
    for _ in 0..times {
        assert!(matches!(judge(&policy, route, &body), Verdict::Permit(_)));
    }
}

criterion_group!(benches, permits, refusals);

fn main() {
    let told = |name| std::env::var(name).ok()?.parse().ok();
    match (told("JUDGE_OPS"), told("JUDGE_TIMES")) {
        (Some(ops), Some(times)) => judge_often(ops, times),
        _ => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}
