//! The judge beside the naive one. The bytes of the input choose a world, a document and a patch.

use crate::promises::claims::Claims;
use crate::promises::patch::POINTERS;
use crate::promises::tally::Tally;
use crate::promises::world::{World, world};

use patchgate::policy::route::BodyForm;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    /// What is claimed in each of 256 worlds, of patches and of merge patches.
    static CLAIMS: RefCell<HashMap<(u8, bool), &'static Claims<'static>>> = RefCell::default();
    static TALLY: Tally = Tally::default();
}

/// The first byte of the input chooses a world, the second the form of the patch.
pub fn run(choices: &[u8]) {
    let Some(([which, form], choices)) = choices.split_first_chunk() else { return };
    let merges = form % 2 == 1;
    let mut choices = Choices(choices, 0);
    let document = choices.document();
    let patch = if merges { choices.merge_patch() } else { choices.patch() };
    let claims = claims(*which, merges);
    let theirs = claims.theirs(&patch, &document);
    TALLY.with(|tally| {
        let with = claims.with_state(&patch, &document, &theirs, tally);
        assert_eq!(with, Ok(()), "in the world {which}");
        if claims.fits(&document) {
            let without = claims.without_state(&patch, &document, &theirs, tally);
            assert_eq!(without, Ok(()), "in the world {which}");
        }
    });
}

fn claims(which: u8, merges: bool) -> &'static Claims<'static> {
    let make = || {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[which; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let drawn = world().new_tree(&mut runner).expect("a world");
        let world: &'static World = Box::leak(Box::new(drawn.current()));
        let body = if merges { BodyForm::MergePatch } else { BodyForm::JsonPatch };
        &*Box::leak(Box::new(Claims::of(world, body)))
    };
    CLAIMS.with_borrow_mut(|known| *known.entry((which, merges)).or_insert_with(make))
}

/// The bytes that choose, and how deep what is chosen stands. When there are no more, the first of all
/// choices is taken.
struct Choices<'c>(&'c [u8], usize);

/// No object stands deeper: bodies that are nested too deeply are for the reader to refuse.
const DEPTH_MAX: usize = 8;

const MEMBERS: [&str; 8] = ["status", "sub", "n", "d", "t", "free", "r", "a/b"];

impl Choices<'_> {
    fn below(&mut self, end: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn document(&mut self) -> Value {
        self.object(&MEMBERS)
    }

    fn merge_patch(&mut self) -> Value {
        let names = ["status", "sub", "n", "d", "t", "free", "r", "a/b", "Status", "other"];
        let members = (0..self.below(4)).map(|_| {
            let name = self.one_of(&names);
            let value = if self.below(4) == 3 { Value::Null } else { self.at(name) };
            (name.to_owned(), value)
        });
        Value::Object(members.collect())
    }

    fn patch(&mut self) -> Value {
        let ops = (0..self.below(5)).map(|_| {
            let name = self.one_of(&["add", "replace", "test", "remove", "move", "copy"]);
            let path = self.one_of(&POINTERS);
            match name {
                "remove" => json!({"op": name, "path": path}),
                "move" | "copy" => {
                    json!({"op": name, "path": path, "from": self.one_of(&POINTERS)})
                }
                _ => {
                    let (_, last) = path.rsplit_once('/').unwrap_or_default();
                    json!({"op": name, "path": path, "value": self.at(&last.replace("~1", "/"))})
                }
            }
        });
        Value::Array(ops.collect())
    }

    /// What mostly stands where the last token is `name`.
    fn at(&mut self, name: &str) -> Value {
        if self.below(12) == 11 {
            return self.any(2);
        }
        match name {
            "" => self.document(),
            "status" | "Status" => self.one_of(&["A", "B", "C"]).into(),
            "sub" => self.one_of(&["x", "y", "z"]).into(),
            "n" | "a" | "A" | "v" | "id" | "a/b" => self.below(4).into(),
            "free" | "b" | "x_1" | "other" => self.one_of(&["A", "w", "xyz"]).into(),
            "d" => self.object(&["a", "b", "x_1"]),
            "t" => (0..self.below(4)).map(|_| self.at("0")).collect(),
            "kids" => (0..self.below(3)).map(|_| self.at("next")).collect(),
            "r" | "next" => self.object(&["v", "next", "kids"]),
            _ => self.object(&["id", "v"]),
        }
    }

    /// Some of the members `names`, each with what mostly stands there.
    fn object(&mut self, names: &[&str]) -> Value {
        let mut members = Map::new();
        self.1 += 1;
        for name in names {
            if self.1 <= DEPTH_MAX && self.below(4) > 0 {
                members.insert((*name).to_owned(), self.at(name));
            }
        }
        self.1 -= 1;
        members.into()
    }

    fn any(&mut self, depth: usize) -> Value {
        match self.below(if depth > 0 { 7 } else { 4 }) {
            0 => Value::Null,
            1 => self.one_of(&["A", "B", "C", "x", "y", "w"]).into(),
            2 => self.below(4).into(),
            3 => (self.below(2) == 1).into(),
            4 => (0..self.below(3)).map(|_| self.any(depth - 1)).collect(),
            _ => {
                let names = [&MEMBERS[..], &["a", "b", "id", "v", "A", "next", "x_1"]].concat();
                let members = (0..self.below(3))
                    .map(|_| (self.one_of(&names).to_owned(), self.any(depth - 1)));
                Value::Object(members.collect())
            }
        }
    }
}
