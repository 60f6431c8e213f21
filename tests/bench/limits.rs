//! What a decision of the limiter costs, alone and with every core asking at once.
#![allow(clippy::expect_used, reason = "a bench may fail by panicking")]

use patchgate::limits::{Account, Class, Limits, Quota, Quotas, Wanted};

use criterion::{Criterion, criterion_group, criterion_main};

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn quota(most: u32, seconds: u64) -> Quota {
    let most = NonZeroU32::new(most).expect("not zero");
    Quota { most, per: Duration::from_secs(seconds), burst: most }
}

/// Limits with so much room, and the accounts of two partners of which the first is held to six
/// quotas and two of all together, and the second to one.
fn limits(room: u32) -> (Limits, [Arc<Account>; 2]) {
    let both = |most| vec![quota(most, 1), quota(most, 60), quota(most, 3600)];
    let many = Quotas { requests: both(room), writes: both(room), ..Quotas::default() };
    let one = Quotas { requests: vec![quota(room, 1)], ..Quotas::default() };
    let total =
        Quotas { requests: vec![quota(900_000, 1), quota(900_000, 2)], ..Quotas::default() };
    let accounts = vec![("many".to_owned(), many), ("one".to_owned(), one)];
    let wanted = Wanted { prefix: "gate".to_owned(), accounts, total, ..Wanted::default() };
    let limits = Limits::carry_over(&Limits::default(), wanted);
    let account = |key| Arc::clone(limits.get(key).expect("an account"));
    let accounts = ["many", "one"].map(account);
    (limits, accounts)
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a decision");
    let alone = Limits::default();
    let (roomy, [many, one]) = limits(900_000);
    let (tight, [short, _]) = limits(1);
    let cost = NonZeroU32::MIN;
    for (name, limits, account) in [
        ("one quota", &alone, &one),
        ("six quotas and two of all", &roomy, &many),
        ("six quotas without room", &tight, &short),
    ] {
        let decide = || limits.decide_here(black_box(account), Class::Write, cost);
        group.bench_function(name, |bencher| bencher.iter(decide));
    }
    // Another worker asks for the same partner all the time.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                black_box(roomy.decide_here(&many, Class::Write, cost));
            }
        });
        group.bench_function("eight quotas, and another worker at it", |bencher| {
            bencher.iter(|| roomy.decide_here(black_box(&many), Class::Write, cost));
        });
        stop.store(true, Ordering::Relaxed);
    });
    group.finish();
}

fn fields(criterion: &mut Criterion) {
    let (limits, [many, _]) = limits(900_000);
    let decision = limits.decide_here(&many, Class::Write, NonZeroU32::MIN);
    criterion.bench_function("telling of six quotas", |bencher| {
        let mut text = Vec::new();
        bencher.iter(|| {
            text.clear();
            black_box(&many).write_rest(&decision, &mut text);
            black_box(text.len())
        });
    });
}

criterion_group!(benches, decisions, fields);
criterion_main!(benches);
