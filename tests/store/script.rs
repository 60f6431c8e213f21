//! The script alone, at moments that the test chooses: held against a simple model in exact numbers.

use crate::harness::Redis;

use proptest::prelude::*;

/// The shipped script, but that the test says what time it is.
fn script() -> String {
    let text = include_str!("../../src/limits/store/decide.lua");
    let asked = "redis.call('TIME')";
    assert_eq!(text.matches(asked).count(), 1);
    text.replace(asked, "redis.call('MGET', 'seconds', 'microseconds')")
}

/// A quota: in nanoseconds what one takes to come back, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Quota {
    period: u128,
    burst: u128,
}

fn any_quota() -> impl Strategy<Value = Quota> {
    // From a million a second to one in a day; all of it is back within a hundred days.
    let day = 86_400_000_000_000u64;
    let period = prop_oneof![1_000u64..100_000, 1_000_000u64..1_000_000_000, Just(day)];
    (period, 1u32..60)
        .prop_map(|(period, burst)| Quota { period: period.into(), burst: burst.into() })
}

/// Whether they are the same, to the nanosecond where a hundred days are not reached.
fn is_same(said: u64, expected: u128) -> bool {
    let difference = u128::from(said).abs_diff(expected);
    difference == 0 || (expected > 1 << 53 && difference < expected >> 50)
}

#[derive(Clone, Debug)]
enum Event {
    /// What a request costs, and for which of the lists it counts.
    Ask(u128, Vec<usize>),
    /// So many microseconds pass.
    Pass(u64),
    /// A quota is changed.
    Change(usize, Quota),
}

fn any_event() -> impl Strategy<Value = Event> {
    let lists = proptest::sample::subsequence(vec![0usize, 1, 2], 1..=3);
    prop_oneof![
        6 => (prop_oneof![4 => 1u32..4, 1 => 4u32..90], lists)
            .prop_map(|(cost, lists)| Event::Ask(cost.into(), lists)),
        2 => (0u64..2_000_000).prop_map(Event::Pass),
        1 => (0u64..2_000_000_000_000).prop_map(Event::Pass),
        1 => (0usize..3, any_quota()).prop_map(|(at, quota)| Event::Change(at, quota)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_script_decides_to_the_nanosecond(
        first in [any_quota(), any_quota(), any_quota()],
        begin in 1_700_000_000_000_000u64..4_000_000_000_000_000,
        events in proptest::collection::vec(any_event(), 1..60),
    ) {
        thread_local!(static REDIS: Redis = Redis::start());
        let port = REDIS.with(|redis| redis.port);
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        let mut store = client.get_connection().unwrap();
        redis::cmd("FLUSHALL").exec(&mut store).unwrap();
        let (script, mut now, mut quotas) = (script(), begin, first);
        // What is spent of each, as how much of which full; and whether it was ever asked about.
        let mut spent = [0u128; 3];
        let mut full: [Option<u128>; 3] = [None; 3];
        for event in events {
            match event {
                Event::Pass(time) => {
                    now += time;
                    spent.iter_mut().for_each(|spent| {
                        *spent = spent.saturating_sub(u128::from(time) * 1_000);
                    });
                }
                Event::Change(at, quota) => quotas[at] = quota,
                Event::Ask(cost, lists) => {
                    let mut ask = redis::cmd("EVAL");
                    ask.arg(&script).arg(lists.len());
                    lists.iter().for_each(|at| { ask.arg(format!("list-{at}")); });
                    let mut has_room = true;
                    for (number, at) in lists.iter().enumerate() {
                        let Quota { period, burst } = quotas[*at];
                        let (room, all) = (cost.min(burst) * period, burst * period);
                        let of = full[*at].unwrap_or(all);
                        if of != all {
                            // The script reckons a share in floating point.
                            spent[*at] = (spent[*at] as f64 / of as f64 * all as f64).ceil() as u128;
                        }
                        has_room &= spent[*at] + room <= all;
                        ask.arg(number + 1).arg(7).arg(all as u64).arg(room as u64);
                        ask.arg((cost * period) as u64).arg(0);
                        full[*at] = Some(all);
                    }
                    redis::cmd("MSET").arg("seconds").arg(now / 1_000_000)
                        .arg("microseconds").arg(now % 1_000_000).exec(&mut store).unwrap();
                    let reply: Vec<u64> = ask.query(&mut store).unwrap();
                    for (number, at) in lists.iter().enumerate() {
                        let Quota { period, burst } = quotas[*at];
                        let wait = (spent[*at] + cost.min(burst) * period)
                            .saturating_sub(burst * period);
                        if has_room {
                            spent[*at] += cost * period;
                        } else {
                            prop_assert!(is_same(reply[2 * number + 1], wait));
                        }
                        prop_assert!(is_same(reply[2 * number], spent[*at]));
                        spent[*at] = reply[2 * number].into();
                    }
                    let refused = lists.iter().enumerate().any(|(at, _)| reply[2 * at + 1] > 0);
                    prop_assert_eq!(refused, !has_room);
                }
            }
        }
    }
}
