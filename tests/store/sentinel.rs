//! A store that sentinels know the place of, with a real sentinel and a real failover.

use super::{Gateway, eventually, only};
use crate::harness::Redis;

use patchgate::limits::Quotas;

#[test]
fn where_the_store_fails_over_its_gateways_follow_and_nothing_that_was_spent_is_forgotten() {
    let mut master = Redis::start();
    let replica = Redis::replica_of(&master);
    let sentinel = Redis::sentinel(&master, "limits");
    eventually("it knows the replica", || {
        let replicas: Vec<redis::Value> = sentinel.say(&["SENTINEL", "replicas", "limits"]);
        !replicas.is_empty()
    });
    let accounts = [("a", only(20)), ("probe", only(1_000_000))];
    let gateway = || Gateway::new(sentinel.named("limits"), &accounts, Quotas::default());
    let (one, two) = (gateway(), gateway());
    assert_eq!((one.limits.is_store_up(), two.limits.is_store_up()), (Some(true), Some(true)));
    assert_eq!((one.writes("a", 4), two.writes("a", 3)), (4, 3));
    let followed: u64 = {
        // What was spent has come to the replica.
        one.writes("a", 1);
        master.say(&["WAIT", "1", "5000"])
    };
    assert_eq!(followed, 1);
    master.kill();
    one.until_back(&replica);
    two.until_back(&replica);
    let role: Vec<redis::Value> = replica.say(&["ROLE"]);
    assert_eq!(role.first(), Some(&redis::Value::BulkString(b"master".to_vec())));
    // Eight are spent, and both know.
    assert_eq!(one.writes("a", 7) + two.writes("a", 30), 12);
    assert!(!one.write("a"));
}

#[test]
fn a_name_that_no_sentinel_knows_is_a_store_that_is_away() {
    let master = Redis::start();
    let sentinel = Redis::sentinel(&master, "limits");
    let accounts = [("a", only(20))];
    let gateway = Gateway::new(sentinel.named("others"), &accounts, Quotas::default());
    assert_eq!(gateway.limits.is_store_up(), Some(false));
    // Its share: there are two.
    assert_eq!(gateway.writes("a", 30), 10);
}
