//! What is claimed of one patch on one document in one world: that the judge says what the naive one
//! says.

use super::judge::{Judged, judge};
use super::route::route;
use super::tally::Tally;
use super::world::World;
use crate::oracle::{Oracle, Wrong};

use patchgate::policy::Route;
use patchgate::policy::route::BodyForm;

use serde_json::Value;

/// A world as both judges know it.
pub struct Claims<'w> {
    world: &'w World,
    route: Route,
    oracle: Oracle<'w>,
}

/// What the naive judge says.
pub struct Theirs {
    /// The document that results, or all that is wrong.
    verdict: Result<Value, Vec<Wrong>>,
    step: Option<(usize, usize)>,
}

impl Theirs {
    fn wrong(&self) -> &[Wrong] {
        self.verdict.as_ref().err().map(Vec::as_slice).unwrap_or_default()
    }

    fn applies(&self) -> bool {
        self.wrong().iter().all(|wrong| wrong.kind != "patch")
    }
}

impl<'w> Claims<'w> {
    /// Those of patches in the form `body`.
    pub fn of(world: &'w World, body: BodyForm) -> Self {
        Self { world, route: Route { body, ..route(world) }, oracle: Oracle::new(world) }
    }

    /// Whether `document` fits the schema.
    pub fn fits(&self, document: &Value) -> bool {
        self.oracle.fits(document)
    }

    /// What the naive judge says.
    pub fn theirs(&self, patch: &Value, document: &Value) -> Theirs {
        if self.route.body == BodyForm::MergePatch {
            let (verdict, step) = self.oracle.judge_merge(patch, document);
            return Theirs { verdict, step };
        }
        let verdict = self.oracle.judge(patch, document);
        let ops = patch.as_array().map(Vec::as_slice).unwrap_or_default();
        let after = Oracle::apply(patch, document);
        let step = after.and_then(|after| Oracle::step(ops, document, &after));
        Theirs { verdict, step }
    }

    /// With the state, the verdict is that of the naive judge.
    pub fn with_state(
        &self,
        patch: &Value,
        document: &Value,
        theirs: &Theirs,
        tally: &Tally,
    ) -> Result<(), String> {
        let ours = judge(&self.route, self.world.caller(), patch, Some(document));
        let differs = |why: &str| format!("{patch} on {document}: {why}");
        agree(&ours, theirs.wrong(), tally).map_err(|why| differs(&why))?;
        if ours.step != theirs.step {
            return Err(differs(&format!("it steps {:?}, not {:?}", ours.step, theirs.step)));
        }
        theirs.step.inspect(|_| tally.note("makes a step"));
        Ok(())
    }

    /// Without the state, nothing is refused or permitted that the state would turn. The `document`
    /// fits the schema.
    pub fn without_state(
        &self,
        patch: &Value,
        document: &Value,
        theirs: &Theirs,
        tally: &Tally,
    ) -> Result<(), String> {
        let alone = judge(&self.route, self.world.caller(), patch, None);
        let differs = |why: &str| format!("{patch} on {document}: {why}");
        stands(&alone, theirs, tally).map_err(|why| differs(&why))?;
        let Some(told) = alone.step.filter(|_| theirs.applies()) else { return Ok(()) };
        tally.note("tells the step");
        match theirs.step == Some(told) {
            true => Ok(()),
            false => Err(differs(&format!("it tells {told:?}, and steps {:?}", theirs.step))),
        }
    }
}

/// The two judges say the same, and find the same rules broken.
fn agree(ours: &Judged, wrong: &[Wrong], tally: &Tally) -> Result<(), String> {
    if ours.permits != Some(wrong.is_empty()) {
        return Err(format!("{}; {wrong:?}", ours.why));
    }
    let mut rules: Vec<&str> = wrong.iter().map(|wrong| wrong.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    tally.note(match (wrong, &rules[..]) {
        ([], _) => "permitted",
        ([first, ..], [_]) => first.decided(),
        (_, _) => "several rules refuse",
    });
    if rules.contains(&"") {
        // Whose patch does not apply is told of nothing else.
        return Ok(());
    }
    tally.note("applies");
    // What one rule has forbidden, the next need not blame once more.
    let has = |rule: &str| rules.contains(&rule);
    let compared = |rule: &&&str| match **rule {
        "paths" => !has("operations"),
        "schema" => !has("paths"),
        _ => true,
    };
    let same = ours.violated.iter().filter(compared).eq(rules.iter().filter(compared));
    if same { Ok(()) } else { Err(format!("{}; {wrong:?}", ours.why)) }
}

/// A verdict without the state is one that the state does not turn.
fn stands(alone: &Judged, theirs: &Theirs, tally: &Tally) -> Result<(), String> {
    let applies = theirs.applies();
    if applies {
        tally.note("applies to what fits");
    }
    match (alone.permits, &theirs.verdict) {
        (Some(false), Ok(after)) => {
            return Err(format!("a false refusal, it makes {after}: {}", alone.why));
        }
        (Some(true), Err(wrong)) if applies => return Err(format!("a false permit: {wrong:?}")),
        (Some(false), Err(_)) if applies => tally.note("refused alone"),
        (Some(true), Ok(_)) => tally.note("permitted alone"),
        (None, Ok(_)) => tally.note("asks, and is permitted"),
        (None, Err(_)) if applies => tally.note("asks, and is refused"),
        (Some(_) | None, Err(_)) => tally.note("does not apply"),
    }
    Ok(())
}
