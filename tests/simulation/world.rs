//! One world, from its seed to what everybody noted.

use super::api::{self, Api, Arrival};
use super::caller::{self, Asked};
use super::gateway;
use super::plan::Plan;

use patchgate::live::Live;
use patchgate::telemetry::{AccessLog, Destination, Telemetry};

use tokio::task::spawn_local;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// How long a world may take; nobody waits as long.
const LIFE: Duration = Duration::from_secs(15);
/// How many milliseconds pass at once.
const TICK: u64 = 2;

/// What everybody noted.
#[derive(Debug)]
pub struct Told {
    pub plan: Plan,
    /// What the callers asked for, in the order that it ended.
    pub asked: Vec<Asked>,
    /// What came to the API, in this order.
    pub arrivals: Vec<Arrival>,
    /// Tag and state of every version of each document, in their order.
    pub versions: Vec<Vec<(String, String)>>,
    /// The lines of the access log, by the id of their request.
    pub lines: HashMap<String, Vec<serde_json::Value>>,
    /// What the gateway holds in the end: requests under way, and bytes of bodies.
    pub held: (usize, usize),
}

/// Lives through the world of `seed`.
pub fn live_through(seed: u64, live: &Live) -> Told {
    let plan = Rc::new(Plan::of(seed));
    let (api, asked) = (Api::of(&plan), Rc::new(RefCell::new(Vec::new())));
    let log = tempfile::NamedTempFile::new().unwrap();
    let access_log = AccessLog::open(&Destination::File(log.path().to_owned())).unwrap();
    let shared = gateway::shared(live, Telemetry::new(access_log), &plan);
    {
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .enable_random_order()
            .tick_duration(Duration::from_millis(TICK))
            .simulation_duration(LIFE)
            .min_message_latency(Duration::ZERO)
            .max_message_latency(plan.latency)
            .build();
        sim.host("api", || api::serve(Rc::clone(&api)));
        sim.host("gateway", || {
            let (shared, plan) = (shared.clone(), Rc::clone(&plan));
            async move { gateway::serve(shared, &plan).await }
        });
        let callers: Vec<_> = (0..plan.callers)
            .map(|number| caller::run(Rc::clone(&api), Rc::clone(&asked), seed, number))
            .collect();
        sim.client("callers", async move {
            let callers: Vec<_> = callers.into_iter().map(spawn_local).collect();
            for caller in callers {
                caller.await?;
            }
            Ok(())
        });
        let (mut now, mut rest) = (0, plan.after());
        while rest > 0 {
            plan.act(now, now + TICK, &mut sim);
            let done = sim.step().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            now += TICK;
            rest = if done { rest.saturating_sub(TICK) } else { rest };
        }
    }
    let held = (shared.capacity.used(), shared.budget.used());
    drop(shared);
    let text = std::fs::read_to_string(log.path()).unwrap();
    let mut lines: HashMap<String, Vec<_>> = HashMap::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = line["request_id"].as_str().unwrap().to_owned();
        lines.entry(id).or_default().push(line);
    }
    let plan = Rc::into_inner(plan).expect("the world is gone");
    let asked = asked.take();
    let arrivals = std::mem::take(&mut api.borrow_mut().arrivals);
    let versions = api.borrow_mut().documents.drain(..).map(|stored| stored.versions).collect();
    Told { plan, asked, arrivals, versions, lines, held }
}
