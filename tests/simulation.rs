//! Whole worlds in simulated time: callers, the gateway as it is, and an API over a network that
//! loses, delays and parts. Each comes out the same for the same seed.
//!
//! `SIMULATIONS=20000 cargo test simulation` lives through more of them than usual;
//! `SIMULATION=17 cargo test simulation` through one.

mod api;
mod caller;
mod claims;
mod dice;
mod gateway;
mod plan;
mod world;

use claims::Seen;
use world::live_through;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn in_every_world_each_change_is_judged_pinned_applied_once_and_told_as_it_is() {
    let live = gateway::live();
    if let Some(seed) = number("SIMULATION") {
        return claims::hold(&live_through(seed, &live), &mut Seen::default());
    }
    let worlds = number("SIMULATIONS").unwrap_or(300);
    let mut seen = Seen::default();
    for seed in 0..worlds {
        claims::hold(&live_through(seed, &live), &mut seen);
    }
    println!("{worlds} worlds: {seen:?}");
    let Seen { applied, refused, stale, rejudged, given_up, unknown, lost, .. } = seen;
    let found = [seen.paused, seen.found_made, seen.found_made_by_another, seen.found_unmade];
    assert!(found.iter().all(|count| *count > 0), "too little is found: {seen:?}");
    let Seen { shared, remembered, left, saved, unpinned, forbidden, .. } = seen;
    let kinds = [applied, refused, stale, rejudged, unknown, lost, shared, remembered, left];
    let enough =
        kinds.iter().chain(&[saved, unpinned, forbidden]).all(|count| *count as u64 > worlds / 30);
    assert!(
        enough && given_up > 0 && seen.forbidden_by_shared > 0,
        "the worlds show too little: {seen:?}"
    );
}

#[test]
fn the_same_seed_makes_the_same_world() {
    let live = gateway::live();
    for seed in 0..5 {
        let (one, other) = (live_through(seed, &live), live_through(seed, &live));
        assert_eq!(one.arrivals, other.arrivals, "{seed}");
        let ends = |told: &world::Told| format!("{:?}", told.asked);
        assert_eq!(ends(&one), ends(&other), "{seed}");
    }
}
