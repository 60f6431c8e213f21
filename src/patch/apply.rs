//! Applies a patch to a document, all or nothing, within a budget.

use super::{Op, Patch, Pointer, pointer};
use crate::json::{Object, Value};

use std::fmt;

/// How many bytes of values the `copy` ops of one patch may make in all.
///
/// Each `copy` can double a document, so that forty of them would make a terabyte out of nothing.
pub const COPY_BUDGET: usize = 1024 * 1024;

/// Why a patch does not apply to a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inapplicable {
    /// The index of the op that failed.
    pub op: usize,
    /// Where it failed.
    pub pointer: String,
    /// Why.
    pub reason: Reason,
}

/// What an op found amiss in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The ops copied more than [`COPY_BUDGET`].
    CopyBudget,
    /// The index is past the end of the array, or no index at all.
    Index,
    /// A value would be moved into itself.
    IntoItself,
    /// Nothing stands there.
    Missing,
    /// What stands above is neither an object nor an array.
    NoContainer,
    /// A `test` found another value.
    TestFailed,
    /// The whole document would be taken away.
    WholeDocument,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CopyBudget => "the `copy` ops would make the document too large",
            Self::Index => "there is no such array index",
            Self::IntoItself => "a value cannot be moved into itself",
            Self::Missing => "nothing stands there",
            Self::NoContainer => "what stands above it is neither an object nor an array",
            Self::TestFailed => "the `test` does not hold",
            Self::WholeDocument => "the whole document cannot be taken away",
        })
    }
}

/// The document that `patch` makes of `document`; what it sets is there as the patch has it.
///
/// # Errors
///
/// The first op that fails; the document is then as if nothing had happened (RFC 5789).
pub fn apply<'a>(patch: &'a Patch<'a>, mut document: Value<'a>) -> Result<Value<'a>, Inapplicable> {
    let mut budget = COPY_BUDGET;
    for (index, op) in patch.ops.iter().enumerate() {
        apply_op(op, &mut document, &mut budget).map_err(|(pointer, reason)| Inapplicable {
            op: index,
            pointer: pointer.text().to_owned(),
            reason,
        })?;
    }
    Ok(document)
}

type Failed<'a> = (&'a Pointer<'a>, Reason);

fn apply_op<'a>(
    op: &'a Op<'a>,
    document: &mut Value<'a>,
    budget: &mut usize,
) -> Result<(), Failed<'a>> {
    let at = |path| move |reason| (path, reason);
    match op {
        Op::Add { path, value } => add(document, path, value.borrowed()).map_err(at(path)),
        Op::Remove { path } => remove(document, path).map(drop).map_err(at(path)),
        Op::Replace { path, value } => {
            let slot = find_mut(document, path).map_err(at(path))?;
            *slot = value.borrowed();
            Ok(())
        }
        Op::Copy { from, path } => {
            let value = find(document, from).ok_or((from, Reason::Missing))?;
            *budget = budget.checked_sub(weight(value)).ok_or((from, Reason::CopyBudget))?;
            let value = value.clone();
            add(document, path, value).map_err(at(path))
        }
        Op::Move { from, path } if from == path && !from.is_root() => {
            find(document, from).map(drop).ok_or((from, Reason::Missing))
        }
        Op::Move { from, path } if from.covers(path) => Err((path, Reason::IntoItself)),
        Op::Move { from, path } => {
            let value = remove(document, from).map_err(at(from))?;
            add(document, path, value).map_err(at(path))
        }
        Op::Open { path } => match find(document, path) {
            Some(Value::Object(_)) => Ok(()),
            _ => add(document, path, Value::Object(Object::default())).map_err(at(path)),
        },
        Op::Unset { path } => match remove(document, path) {
            Ok(_) | Err(Reason::Missing) => Ok(()),
            Err(reason) => Err((path, reason)),
        },
        Op::Test { path, value } => match find(document, path) {
            Some(found) if found == value => Ok(()),
            Some(_) => Err((path, Reason::TestFailed)),
            None => Err((path, Reason::Missing)),
        },
    }
}

/// What stands at `pointer` in `document`.
pub fn find<'d, 'a>(document: &'d Value<'a>, pointer: &Pointer<'_>) -> Option<&'d Value<'a>> {
    pointer.tokens().try_fold(document, |value, token| match value {
        Value::Object(members) => members.get(&token),
        Value::Array(elements) => elements.get(pointer::index(&token)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

fn find_mut<'d, 'a>(
    document: &'d mut Value<'a>,
    pointer: &Pointer<'_>,
) -> Result<&'d mut Value<'a>, Reason> {
    pointer.tokens().try_fold(document, |value, token| match value {
        Value::Object(members) => members.get_mut(&token).ok_or(Reason::Missing),
        Value::Array(elements) => {
            let index = pointer::index(&token).ok_or(Reason::Index)?;
            if index >= elements.len() {
                return Err(Reason::Index);
            }
            elements.to_mut().get_mut(index).ok_or(Reason::Index)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(Reason::NoContainer)
        }
    })
}

fn add<'a>(document: &mut Value<'a>, path: &Pointer<'_>, value: Value<'a>) -> Result<(), Reason> {
    let Some((parent, last)) = path.split_last() else {
        *document = value;
        return Ok(());
    };
    match find_mut(document, &parent)? {
        Value::Object(members) => {
            members.insert(last.into_owned().into(), value);
        }
        Value::Array(elements) if last == "-" => elements.to_mut().push(value),
        Value::Array(elements) => {
            let index = pointer::index(&last).ok_or(Reason::Index)?;
            if index > elements.len() {
                return Err(Reason::Index);
            }
            elements.to_mut().insert(index, value);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(Reason::NoContainer);
        }
    }
    Ok(())
}

fn remove<'a>(document: &mut Value<'a>, path: &Pointer<'_>) -> Result<Value<'a>, Reason> {
    let Some((parent, last)) = path.split_last() else {
        return Err(Reason::WholeDocument);
    };
    match find_mut(document, &parent)? {
        Value::Object(members) => members.remove(&last).ok_or(Reason::Missing),
        Value::Array(elements) => {
            let index = pointer::index(&last).ok_or(Reason::Index)?;
            if index < elements.len() {
                Ok(elements.to_mut().remove(index))
            } else {
                Err(Reason::Index)
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(Reason::NoContainer)
        }
    }
}

/// About how many bytes a copy of `value` takes.
fn weight(value: &Value<'_>) -> usize {
    let own = match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(number) => number.text().len(),
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(weight).sum(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + weight(value)).sum()
        }
    };
    own + size_of::<Value<'_>>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Bounds, read};

    fn result(document: &str, patch: &str) -> Result<String, (usize, Reason)> {
        let document = read(document.as_bytes(), Bounds::default()).expect("JSON");
        let patch = Patch::from(patch);
        assert!(!patch.ops.is_empty(), "an unreadable patch");
        let applied = apply(&patch, document).map(|document| document.to_string());
        applied.map_err(|error| (error.op, error.reason))
    }

    #[test]
    fn the_first_failing_op_is_named() {
        let patch =
            r#"[{"op":"add","path":"/a","value":1},{"op":"replace","path":"/b","value":1}]"#;
        assert_eq!(result("{}", patch), Err((1, Reason::Missing)));
        assert_eq!(
            result("[1]", r#"[{"op":"add","path":"/3","value":1}]"#),
            Err((0, Reason::Index))
        );
        assert_eq!(
            result(r#"{"a":{}}"#, r#"[{"op":"move","from":"/a","path":"/a/b"}]"#),
            Err((0, Reason::IntoItself))
        );
    }

    #[test]
    fn what_a_document_lends_is_changed_like_what_it_gives() {
        let text = r#"{"a":{"b":[1,{"c":2}],"d":"x"},"e":[[]]}"#;
        let document = read(text.as_bytes(), Bounds::default()).expect("JSON");
        for (op, expected) in [
            (
                r#""add","path":"/a/b/1/d","value":[3]"#,
                r#"{"a":{"b":[1,{"c":2,"d":[3]}],"d":"x"},"e":[[]]}"#,
            ),
            (r#""add","path":"/e/0/-","value":3"#, r#"{"a":{"b":[1,{"c":2}],"d":"x"},"e":[[3]]}"#),
            (
                r#""add","path":"/a/b/0","value":{}"#,
                r#"{"a":{"b":[{},1,{"c":2}],"d":"x"},"e":[[]]}"#,
            ),
            (r#""replace","path":"/a/b/1","value":0"#, r#"{"a":{"b":[1,0],"d":"x"},"e":[[]]}"#),
            (r#""remove","path":"/a/b/0""#, r#"{"a":{"b":[{"c":2}],"d":"x"},"e":[[]]}"#),
            (r#""remove","path":"/a/d""#, r#"{"a":{"b":[1,{"c":2}]},"e":[[]]}"#),
            (r#""move","from":"/a/b","path":"/e/0/0""#, r#"{"a":{"d":"x"},"e":[[[1,{"c":2}]]]}"#),
            (
                r#""copy","from":"/a/b/1","path":"/e/-""#,
                r#"{"a":{"b":[1,{"c":2}],"d":"x"},"e":[[],{"c":2}]}"#,
            ),
        ] {
            let patch = format!(r#"[{{"op":{op}}}]"#);
            let patch = Patch::from(&*patch);
            let lent = apply(&patch, document.borrowed()).map(|after| after.to_string());
            let given = apply(&patch, document.clone()).map(|after| after.to_string());
            assert_eq!((lent.as_deref(), given.as_deref()), (Ok(expected), Ok(expected)), "{op}");
        }
        assert_eq!(document.to_string(), text);
    }

    #[test]
    fn test_compares_numbers_by_value_and_objects_without_order() {
        let patch = r#"[{"op":"test","path":"/a","value":{"y":[2e0],"x":1.0}}]"#;
        assert!(result(r#"{"a":{"x":1,"y":[2]}}"#, patch).is_ok());
    }

    #[test]
    fn copies_that_double_a_document_run_out_of_budget() {
        let copy = r#"{"op":"copy","from":"/a","path":"/a/-"}"#;
        let patch = format!("[{}]", vec![copy; 40].join(","));
        let failed = result(r#"{"a":[0]}"#, &patch);
        assert!(matches!(failed, Err((_, Reason::CopyBudget))), "{failed:?}");
    }
}
