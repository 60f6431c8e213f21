//! What a patch does to a document, whatever the document holds.

use super::{Op, Pointer};
use crate::json::Value;

/// How an effect bears on its pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It becomes an object, unless it is one.
    Open,
    /// It is looked at.
    Read,
    /// It, and all beneath it, is taken away.
    Remove,
    /// It is set, and all that was beneath it is gone.
    Write,
}

/// One thing an op does.
#[derive(Clone, Copy, Debug)]
pub struct Effect<'e, 'a> {
    /// The index of the op.
    pub op: usize,
    /// What is done.
    pub touch: Touch,
    /// Where.
    pub pointer: &'e Pointer<'a>,
    /// The first byte of the first token there: that of most others tells that they are apart.
    first: Option<u8>,
    /// What is written; `None` when the patch alone does not tell.
    pub value: Option<&'e Value<'a>>,
}

/// The effects of `op`, in the order they happen: there is one, or there are two.
#[inline]
pub(super) fn of<'e, 'a>(index: usize, op: &'e Op<'a>) -> (Effect<'e, 'a>, Option<Effect<'e, 'a>>) {
    let effect = |touch, pointer: &'e Pointer<'a>, value| {
        let first = first_of(pointer);
        Effect { op: index, touch, pointer, first, value }
    };
    match op {
        Op::Add { path, value } | Op::Replace { path, value } => {
            (effect(Touch::Write, path, Some(value)), None)
        }
        Op::Copy { from, path } => {
            (effect(Touch::Read, from, None), Some(effect(Touch::Write, path, None)))
        }
        Op::Move { from, path } => {
            (effect(Touch::Remove, from, None), Some(effect(Touch::Write, path, None)))
        }
        Op::Open { path } => (effect(Touch::Open, path, None), None),
        Op::Remove { path } | Op::Unset { path } => (effect(Touch::Remove, path, None), None),
        Op::Test { path, .. } => (effect(Touch::Read, path, None), None),
    }
}

fn first_of(pointer: &Pointer<'_>) -> Option<u8> {
    pointer.text().as_bytes().get(1).copied()
}

impl Effect<'_, '_> {
    /// Whether it may change what stands at `governed`: there, above it, beneath it, or in an
    /// array whose elements it shifts.
    #[inline]
    pub fn may_change(&self, governed: &Pointer<'_>) -> bool {
        !self.is_apart(governed) && self.reaches(governed)
    }

    /// The same, looked at closely.
    #[inline(never)]
    fn reaches(&self, governed: &Pointer<'_>) -> bool {
        match self.touch {
            Touch::Read => false,
            Touch::Open => governed.covers(self.pointer) || self.displaces(governed),
            Touch::Remove | Touch::Write => {
                self.pointer.overlaps(governed) || self.shifts(governed)
            }
        }
    }

    /// Whether their first bytes tell that neither lies within the other, nor within the array
    /// whose elements the effect may shift: for most pairs they do.
    #[inline]
    fn is_apart(&self, governed: &Pointer<'_>) -> bool {
        match (self.first, first_of(governed)) {
            // Only a governed element can be shifted by what is beside it.
            (Some(own), Some(first)) => {
                let is_deep = || self.pointer.text().bytes().skip(1).any(|byte| byte == b'/');
                own != first && (!first.is_ascii_digit() || is_deep())
            }
            (_, None) | (None, _) => false,
        }
    }

    /// Whether `governed` passes through an element of an array that may stand at its place: where
    /// an array becomes an object, its elements are gone. (Of another object nothing is lost.)
    fn displaces(&self, governed: &Pointer<'_>) -> bool {
        let beneath = governed.tokens().nth(self.pointer.tokens().count());
        self.pointer.covers(governed)
            && beneath.is_some_and(|token| super::pointer::index(&token).is_some())
    }

    /// Whether an element is put in or taken out at or before one that `governed` passes through.
    fn shifts(&self, governed: &Pointer<'_>) -> bool {
        if !self.pointer.may_be_element() {
            return false;
        }
        let Some((array, place)) = self.pointer.split_last() else { return false };
        // An append lands on whichever element comes next.
        let place = if place == "-" { Some(0) } else { super::pointer::index(&place) };
        let Some(place) = place else { return false };
        if !array.covers(governed) {
            return false;
        }
        let depth = array.tokens().count();
        let element = governed.tokens().nth(depth);
        element.and_then(|token| super::pointer::index(&token)).is_some_and(|at| at >= place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::Patch;

    fn changes(patch: &str, governed: &'static str) -> bool {
        let patch = Patch::from(patch);
        assert!(!patch.ops.is_empty(), "an unreadable patch");
        let governed = Pointer::parse(governed).expect("well-formed");
        patch.effects().any(|effect| effect.may_change(&governed))
    }

    #[test]
    fn a_parent_a_child_a_move_and_a_shift_reach_a_field() {
        for patch in [
            r#"[{"op":"replace","path":"/a/b","value":1}]"#,
            r#"[{"op":"replace","path":"/a","value":{}}]"#,
            r#"[{"op":"add","path":"","value":{}}]"#,
            r#"[{"op":"add","path":"/a/b/c","value":1}]"#,
            r#"[{"op":"move","from":"/a","path":"/z"}]"#,
            r#"[{"op":"copy","from":"/z","path":"/a/b"}]"#,
        ] {
            assert!(changes(patch, "/a/b"), "{patch}");
        }
        assert!(changes(r#"[{"op":"remove","path":"/t/0"}]"#, "/t/1/id"));
        assert!(changes(r#"[{"op":"add","path":"/t/1","value":1}]"#, "/t/1/id"));
        assert!(changes(r#"[{"op":"add","path":"/t/-","value":1}]"#, "/t/1/id"));
    }

    #[test]
    fn a_sibling_a_later_element_and_a_look_do_not() {
        for patch in [
            r#"[{"op":"replace","path":"/a/bc","value":1}]"#,
            r#"[{"op":"test","path":"/a/b","value":1}]"#,
            r#"[{"op":"copy","from":"/a/b","path":"/z"}]"#,
        ] {
            assert!(!changes(patch, "/a/b"), "{patch}");
        }
        assert!(!changes(r#"[{"op":"remove","path":"/t/2"}]"#, "/t/1/id"));
    }

    #[test]
    fn what_is_apart_at_the_first_byte_is_not_changed() {
        let places = ["", "/", "/a", "/ab", "/b", "/-", "/0", "/1", "/a/-", "/a/0", "/a/1", "/b/0"];
        let beneath = places.map(|place| format!("{place}/b"));
        let places: Vec<_> = places.into_iter().chain(beneath.iter().map(String::as_str)).collect();
        let mut apart = 0;
        for (own, governed) in places.iter().flat_map(|a| places.iter().map(move |b| (a, b))) {
            let (pointer, governed) = (Pointer::parse(*own), Pointer::parse(*governed));
            let (pointer, governed) = (pointer.expect("a pointer"), governed.expect("a pointer"));
            let (touch, first) = (Touch::Write, first_of(&pointer));
            let effect = Effect { op: 0, touch, pointer: &pointer, first, value: None };
            if effect.is_apart(&governed) {
                assert!(
                    !pointer.overlaps(&governed) && !effect.shifts(&governed),
                    "{effect:?} {governed:?}"
                );
                assert!(!effect.displaces(&governed), "{effect:?} {governed:?}");
                apart += 1;
            }
        }
        assert!(apart > 100, "{apart}");
    }
}
