//! What has to be so in every world.

use super::api::{Arrival, STEPS};
use super::caller::{Asked, Change, End};
use super::gateway::DEADLINE;
use super::plan::{Tags, Trouble};
use super::world::Told;

use http::Method;

use std::collections::HashSet;
use std::time::Duration;

/// How long an answer is on its way beside the time that the gateway may take.
const WAY: Duration = Duration::from_millis(60);
/// How often a request is sent at most.
const SENT_MAX: usize = 3;

/// What was seen of each kind, so that no claim is empty.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub applied: usize,
    pub refused: usize,
    /// 412 of the gateway or of the API, told to the caller.
    pub stale: usize,
    /// Sent again after a 412 to our own pin, and then applied.
    pub rejudged: usize,
    /// Sent so often that the 412 was given to the caller.
    pub given_up: usize,
    pub unknown: usize,
    /// Applied, and the answer lost.
    pub lost: usize,
    /// Refused for the step, by the state; and that by a read that was shared.
    pub forbidden: usize,
    pub forbidden_by_shared: usize,
    pub shared: usize,
    pub remembered: usize,
    pub left: usize,
    /// A document moved between the read and the patch, and without the pin an illegal step would
    /// have been made.
    pub saved: usize,
    pub unpinned: usize,
    /// Not sent, because the API was given a pause.
    pub paused: usize,
    /// The answer was lost, and the document read again: then the change is in effect, as this
    /// request made it or another that does the same; or it is not, for good.
    pub found_made: usize,
    pub found_made_by_another: usize,
    pub found_unmade: usize,
    /// The document did not tell.
    pub found_nothing: usize,
}

/// Holds every claim against what everybody noted.
pub fn hold(told: &Told, seen: &mut Seen) {
    assert_eq!(told.held, (0, 0), "{}: slots and room are given back", told.plan.seed);
    let ids: HashSet<&str> = told.asked.iter().map(|asked| &*asked.id).collect();
    assert!(told.arrivals.iter().all(|arrival| ids.contains(&*arrival.id)));
    assert!(told.lines.keys().all(|id| ids.contains(&**id)));
    for asked in &told.asked {
        let of_it = told.arrivals.iter().filter(|arrival| arrival.id == asked.id);
        let (reads, sent): (Vec<_>, Vec<_>) = of_it.partition(|a| a.method == Method::GET);
        let case = Case { told, asked, reads, sent };
        case.it_is_sent_no_more_often_than_it_may_be(seen);
        case.what_is_applied_is_a_step_of_the_graph();
        case.it_is_pinned_to_what_was_read(seen);
        case.it_is_judged_by_what_the_caller_may_read();
        case.the_callers_condition_is_never_widened();
        case.it_is_refused_by_a_version_that_it_could_mean(seen);
        case.it_is_answered_in_time(seen);
        case.its_outcome_is_told_as_it_is(seen);
    }
}

/// The states that `state` may lead to.
fn next_of(state: &str) -> &'static [&'static str] {
    STEPS.iter().find(|(name, _)| *name == state).unwrap().1
}

/// One request, and all that is known of it.
struct Case<'t> {
    told: &'t Told,
    asked: &'t Asked,
    reads: Vec<&'t Arrival>,
    sent: Vec<&'t Arrival>,
}

impl Case<'_> {
    /// Everything, for the one who has to find out what went wrong.
    fn whole(&self) -> String {
        let Self { told, asked, reads, sent } = self;
        let line = told.lines.get(&asked.id);
        format!("{:?}\n{asked:#?}\nreads: {reads:#?}\nsent: {sent:#?}\nlog: {line:#?}", told.plan)
    }

    fn applied(&self) -> usize {
        self.sent.iter().filter(|sent| sent.applied.is_some()).count()
    }

    fn needs_state(&self) -> bool {
        matches!(self.asked.change, Change::Status(_))
    }

    /// Whether the caller's condition goes upstream as it is.
    fn is_callers(&self) -> bool {
        self.asked.if_match.len() == 1 && self.asked.if_match != ["*"]
    }

    /// What a second look at the document told of it.
    fn resolved(&self) -> serde_json::Value {
        let lines = self.told.lines.get(&self.asked.id);
        lines.map_or_else(Default::default, |lines| lines[0]["resolved"].clone())
    }

    /// Whether the document may have been read again after a loss, be it in vain because nobody
    /// waited for the end.
    fn looks_again(&self) -> bool {
        let lines = self.told.lines.get(&self.asked.id);
        let late = lines.is_some_and(|lines| lines[0]["rejection"] == "deadline-exceeded");
        late || self.asked.end == End::Left || !self.resolved().is_null()
    }

    fn it_is_sent_no_more_often_than_it_may_be(&self, seen: &mut Seen) {
        let whole = || self.whole();
        assert!(self.applied() <= 1, "applied twice: {}", whole());
        let pinned_by_us = self.needs_state() && !self.is_callers();
        let most = match self.asked.change {
            Change::Forbidden => 0,
            Change::Notes => 1,
            Change::Status(_) if pinned_by_us => SENT_MAX,
            Change::Status(_) => 1,
        };
        assert!(self.sent.len() <= most, "sent too often: {}", whole());
        for before in self.sent.iter().rev().skip(1) {
            assert_eq!(before.status, Some(412), "sent again without a 412: {}", whole());
        }
        if self.is_callers() && !self.sent.is_empty() && !self.looks_again() {
            let mut of_it = self.told.arrivals.iter().filter(|a| a.id == self.asked.id);
            let last = of_it.next_back().map(|last| &last.method);
            assert_eq!(last, Some(&Method::PATCH), "read after its own 412: {}", whole());
        }
        let again = if self.looks_again() { 2 } else { 0 };
        let reads = if self.needs_state() { SENT_MAX + 1 + again } else { 0 };
        assert!(self.reads.len() <= reads, "read too often: {}", whole());
        if self.sent.len() > 1 {
            let applied = self.sent.last().is_some_and(|last| last.applied.is_some());
            seen.rejudged += usize::from(applied);
            let last = self.sent.last().and_then(|last| last.status);
            seen.given_up += usize::from(self.sent.len() == SENT_MAX && last == Some(412));
        }
    }

    fn what_is_applied_is_a_step_of_the_graph(&self) {
        for (from, to) in self.sent.iter().filter_map(|sent| sent.applied.as_ref()) {
            let legal = match self.asked.change {
                Change::Status(_) => next_of(from).contains(&&**to),
                Change::Notes | Change::Forbidden => from == to,
            };
            assert!(legal, "{from} to {to}: {}", self.whole());
        }
    }

    fn it_is_pinned_to_what_was_read(&self, seen: &mut Seen) {
        let Change::Status(to) = self.asked.change else { return };
        for sent in &self.sent {
            let [pin] = &*sent.if_match else { panic!("no pin: {}", self.whole()) };
            let same = |read: &&Arrival| read.method == Method::GET && read.tag == *pin;
            let read = self.told.arrivals.iter().find(same);
            assert!(read.is_some_and(|r| r.document == sent.document), "{}", self.whole());
            assert_ne!(self.told.plan.tags, Tags::Weak, "{}", self.whole());
            let next = next_of(&sent.state);
            seen.saved += usize::from(sent.status == Some(412) && !next.contains(&to));
        }
    }

    /// What is shared or remembered was read by the same partner with the same credentials.
    fn it_is_judged_by_what_the_caller_may_read(&self) {
        let Self { told, asked, reads, sent } = self;
        for arrival in reads.iter().chain(sent) {
            assert_eq!(arrival.token.as_deref(), asked.token, "{}", self.whole());
        }
        let Some(line) = told.lines.get(&asked.id).and_then(|lines| lines.first()) else { return };
        if line["current"] != "shared" && line["current"] != "remembered" {
            return;
        }
        let mut alike = told.asked.iter().filter(|other| {
            let who = other.id != asked.id && other.partner == asked.partner;
            who && other.token == asked.token && other.document == asked.document
        });
        let read = |other: &Asked| {
            let named = |tag| line["current"] == "shared" || asked.if_match == [tag];
            let mut gets = told.arrivals.iter().filter(|a| a.method == Method::GET);
            gets.any(|get| get.id == other.id && named(&*get.tag))
        };
        assert!(alike.any(read), "{}", self.whole());
    }

    fn the_callers_condition_is_never_widened(&self) {
        if self.asked.if_match.is_empty() || self.asked.if_match == ["*"] {
            return;
        }
        for sent in &self.sent {
            let narrow = sent.if_match.iter().all(|tag| self.asked.if_match.contains(tag));
            assert!(narrow && !sent.if_match.is_empty(), "{}", self.whole());
        }
    }

    /// One of those that the caller names, else one that was stored while the request was under way:
    /// never one from before, which the caller may have changed since.
    fn it_is_refused_by_a_version_that_it_could_mean(&self, seen: &mut Seen) {
        let Self { told, asked, .. } = self;
        let (Change::Status(to), End::Answered { status: 409, .. }) = (asked.change, &asked.end)
        else {
            return;
        };
        let line = &told.lines[&asked.id][0];
        if line["codes"] != serde_json::json!(["transition-forbidden"]) {
            return;
        }
        let (first, last) = asked.between;
        let any = asked.if_match.is_empty() || asked.if_match == ["*"];
        let mut versions = told.versions[asked.document].iter().enumerate();
        let found = versions.any(|(index, (tag, state))| {
            let meant =
                if any { (first..=last).contains(&index) } else { asked.if_match.contains(tag) };
            meant && !next_of(state).contains(&to)
        });
        assert!(found, "by none of {:?}: {}", told.versions[asked.document], self.whole());
        seen.forbidden += 1;
        let both = any && line["current"] == "shared";
        seen.forbidden_by_shared += usize::from(both);
    }

    fn it_is_answered_in_time(&self, seen: &mut Seen) {
        match &self.asked.end {
            End::Answered { took, whose, status, .. } => {
                let calm = self.told.plan.trouble == Trouble::Nothing;
                assert!(!calm || !matches!(status, 500 | 502 | 504), "{}", self.whole());
                assert!(*took < DEADLINE + WAY, "{}", self.whole());
                let own = whose.as_ref().is_none_or(|whose| *whose == self.asked.id);
                assert!(own, "the answer of another: {}", self.whole());
            }
            End::Left => seen.left += 1,
            End::Nothing(why) => panic!("{why}: {}", self.whole()),
        }
    }

    /// What is in effect has left the pinned version, and was seen as the change makes it. (That it
    /// is not in effect is said only where it never comes to be: see the outcome.)
    fn what_was_found_out_is_so(&self, applied: bool, seen: &mut Seen) {
        let resolved = self.resolved();
        let Some(resolved) = resolved.as_str() else { return };
        let Change::Status(to) = self.asked.change else { panic!("no pin: {}", self.whole()) };
        assert_ne!(self.told.plan.trouble, Trouble::Nothing, "{}", self.whole());
        match resolved {
            "applied" => {
                let (first, last) = self.asked.between;
                let mut versions = self.told.versions[self.asked.document][first..=last].iter();
                let pin = self.sent.last().map(|sent| &sent.if_match[0]);
                let made = versions.any(|(tag, state)| *state == to && Some(tag) != pin);
                assert!(made, "it was never in effect: {}", self.whole());
                seen.found_made += usize::from(applied);
                seen.found_made_by_another += usize::from(!applied);
            }
            "not-applied" => {
                assert!(self.told.plan.settled_after.is_some(), "{}", self.whole());
                seen.found_unmade += 1;
            }
            _ => seen.found_nothing += 1,
        }
    }

    fn its_outcome_is_told_as_it_is(&self, seen: &mut Seen) {
        let left = self.asked.end == End::Left;
        let Some([line]) = self.told.lines.get(&self.asked.id).map(Vec::as_slice) else {
            // Who left at once may not have been heard.
            let heard = self.told.lines.contains_key(&self.asked.id);
            assert!(left && !heard && self.sent.is_empty(), "{}", self.whole());
            return;
        };
        let applied = self.applied() == 1;
        if line["rejection"] == "upstream-paused" {
            let stale = self.sent.iter().all(|sent| sent.status == Some(412));
            assert!(stale, "it was sent all the same: {}", self.whole());
            seen.paused += 1;
        }
        let outcome = line["outcome"].as_str().unwrap();
        self.what_was_found_out_is_so(applied, seen);
        match outcome {
            "applied" => {
                let made = applied || line["resolved"] == "applied";
                assert!(made, "it was not applied: {}", self.whole());
            }
            "not-applied" => assert!(!applied, "it was applied: {}", self.whole()),
            _ => {
                let calm = self.told.plan.trouble == Trouble::Nothing && !left;
                assert!(!calm, "nothing went wrong: {}", self.whole());
                seen.unknown += 1;
            }
        }
        if let End::Answered { status, outcome: told, .. } = &self.asked.end {
            match status {
                200 => assert_eq!(outcome, "applied", "{}", self.whole()),
                400..500 => assert_eq!(outcome, "not-applied", "{}", self.whole()),
                _ => {}
            }
            assert!(told.as_ref().is_none_or(|told| told == outcome), "{}", self.whole());
            seen.refused += usize::from(matches!(status, 409 | 422));
            seen.stale += usize::from(*status == 412);
        }
        seen.applied += usize::from(outcome == "applied");
        seen.lost += usize::from(applied && outcome == "unknown");
        seen.shared += usize::from(line["current"] == "shared");
        seen.remembered += usize::from(line["current"] == "remembered");
        let untagged =
            line["codes"].as_array().is_some_and(|codes| codes.contains(&"current-unknown".into()));
        seen.unpinned += usize::from(untagged);
    }
}
