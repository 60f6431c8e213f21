//! From bytes to a patch: strictly, and with every bad op reported by its index.

use super::{Op, OpName, Patch, Pointer, UnknownMembers};
use crate::json::{self, Bounds, Failed, Fault, Reader, Unreadable, Value};
use crate::violation::{Code, Violation, Violations};

use std::borrow::Cow;

/// The longest pointer that is read, in bytes.
const POINTER_MAX: usize = 256;

/// About how many bytes a short op has.
const OP_LENGTH: usize = 48;

impl<'a> Patch<'a> {
    /// Reads the patch that `bytes` are.
    ///
    /// # Errors
    ///
    /// Every violation found: one where the text cannot be read, else those of every bad op.
    pub fn read(
        bytes: &'a [u8],
        bounds: Bounds,
        unknown: UnknownMembers,
    ) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let read = json::read_as(bytes, bounds, |reader| {
            if !reader.is_at(b'[') {
                return Ok(Err(reader.value()?.kind()));
            }
            // Most patches are read without moving their ops to where there is more room.
            let mut ops = Vec::with_capacity((bytes.len() / OP_LENGTH).min(bounds.items));
            reader.array(|reader, index| {
                read_op(index, reader, unknown, &mut violations, &mut ops)
            })?;
            Ok(Ok(ops))
        });
        match read {
            Err(unreadable) => Err(unreadable_body(unreadable, bounds).into()),
            Ok(Err(found)) => {
                let message =
                    format!("a JSON Patch is an array of ops, but the body is of type {found}");
                let accepted = r#"[{"op":"replace","path":"/member","value":"new"}]"#;
                Err(Violation::new(Code::PatchNotArray, message).accepted([accepted]).into())
            }
            Ok(Ok(ops)) if violations.is_empty() => Ok(Self { ops }),
            Ok(Ok(_)) => Err(violations),
        }
    }
}

/// The violation that a text which cannot be read amounts to.
pub fn unreadable_body(unreadable: Unreadable, bounds: Bounds) -> Violation {
    let (code, message) = match unreadable.fault {
        Fault::DuplicateMember => (
            Code::BodyDuplicateMember,
            "an object names a member twice, so that readers would disagree on its value".into(),
        ),
        Fault::ImpreciseNumber => (
            Code::NumberImprecise,
            "a number has more digits or a larger exponent than a reader can be trusted to keep"
                .into(),
        ),
        Fault::Syntax(what) => (Code::BodyNotJson, format!("the body is not JSON: {what}")),
        Fault::TooDeep => {
            (Code::BodyTooDeep, format!("the body is nested deeper than {} levels", bounds.depth))
        }
        Fault::TooManyItems => {
            (Code::TooManyOps, format!("the patch holds more than {} ops", bounds.items))
        }
        Fault::TooMuch => (
            Code::BodyTooLarge,
            format!(
                "the body holds more than {} values, or a string of more than {} bytes",
                bounds.values, bounds.string
            ),
        ),
    };
    let message = format!("{message} (byte {} of the body)", unreadable.offset);
    let violation = Violation::new(code, message);
    match unreadable.item {
        Some(index) => violation.op(index),
        None => violation,
    }
}

/// What stands where a string has to: that string, or of which type it is.
type Text<'a> = Result<Cow<'a, str>, &'static str>;

/// Keeps a member, unless there has been one of that name.
fn once<T>(member: &mut Option<T>, found: T, reader: &mut Reader<'_>) -> Result<(), Failed> {
    if member.is_some() {
        return Err(reader.fail(Fault::DuplicateMember));
    }
    *member = Some(found);
    Ok(())
}

/// Reads one op and adds it to `ops`, or reports everything that is wrong with it.
///
/// Each part of an op is put together where it stays: what was just written is not read at once to be
/// written elsewhere, for which a processor has to wait.
fn read_op<'a>(
    index: usize,
    reader: &mut Reader<'a>,
    unknown: UnknownMembers,
    violations: &mut Violations,
    ops: &mut Vec<Op<'a>>,
) -> Result<(), Failed> {
    let before = violations.len();
    let mut report = |violation: Violation| violations.push(violation.op(index));
    if !reader.is_at(b'{') {
        let found = reader.value()?.kind();
        let message = format!("an op is an object, but this one is of type {found}");
        report(Violation::new(Code::PatchNotArray, message));
        return Ok(());
    }
    let (mut op, mut path, mut from, mut value) = (None, None, None, None);
    let mut others: Vec<Cow<'_, str>> = Vec::new();
    reader.object(|reader, name| match &*name {
        "op" => once(&mut op, read_text(reader)?, reader),
        "path" => once(&mut path, read_text(reader)?, reader),
        "from" => once(&mut from, read_text(reader)?, reader),
        "value" if reader.is_at(b'"') => once(&mut value, Value::String(reader.text()?), reader),
        "value" => once(&mut value, reader.other_value()?, reader),
        _ => {
            others.push(name);
            reader.value().map(drop)
        }
    })?;
    reader.refuse_twins(others.iter().map(|name| &**name))?;
    let name = read_name(op, &mut report);
    let path = read_pointer(path, "path", &mut report);
    let source = match name {
        Some(name) if name.takes_from() => read_pointer(from.take(), "from", &mut report),
        _ => None,
    };
    if let Some(name) = name {
        if name.takes_value() && value.is_none() {
            report(Violation::new(
                Code::OpMemberMissing,
                format!("`{name}` needs the member `value` (`null` is a value)"),
            ));
        }
        let untaken =
            usize::from(from.is_some()) + usize::from(value.is_some() && !name.takes_value());
        refuse_others(untaken, &others, unknown, &mut report);
    }
    let (Some(name), Some(path)) = (name, path) else { return Ok(()) };
    if violations.len() > before {
        return Ok(());
    }
    reader.make_room(ops)?;
    match name {
        OpName::Remove => ops.push(Op::Remove { path }),
        OpName::Add | OpName::Replace | OpName::Test => {
            let Some(value) = value else { return Err(reader.fail(UNTOLD)) };
            if name == OpName::Add {
                ops.push(Op::Add { path, value });
            } else if name == OpName::Replace {
                ops.push(Op::Replace { path, value });
            } else {
                ops.push(Op::Test { path, value });
            }
        }
        OpName::Copy | OpName::Move => {
            let Some(from) = source else { return Err(reader.fail(UNTOLD)) };
            if name == OpName::Copy {
                ops.push(Op::Copy { from, path });
            } else {
                ops.push(Op::Move { from, path });
            }
        }
    }
    Ok(())
}

/// INVARIANT: what an op lacks has been reported, and a reported op has been left.
const UNTOLD: Fault = Fault::Syntax("an op lacks a member");

/// Reads what stands where a string has to.
#[inline(always)]
fn read_text<'a>(reader: &mut Reader<'a>) -> Result<Text<'a>, Failed> {
    if reader.is_at(b'"') {
        reader.text().map(Ok)
    } else {
        reader.other_value().map(|other| Err(other.kind()))
    }
}

fn read_name(op: Option<Text<'_>>, report: &mut impl FnMut(Violation)) -> Option<OpName> {
    let known = || OpName::ALL.map(OpName::as_str);
    match op {
        Some(Ok(text)) => {
            let name = OpName::from_name(&text);
            if name.is_none() {
                let message = "`op` is not one of the six operations, spelt exactly";
                report(Violation::new(Code::OpUnknown, message).accepted(known()));
            }
            name
        }
        Some(Err(kind)) => {
            let message = format!("`op` is a string, but this one is of type {kind}");
            report(Violation::new(Code::OpUnknown, message).accepted(known()));
            None
        }
        None => {
            let message = "an op needs the member `op`";
            report(Violation::new(Code::OpMemberMissing, message).accepted(known()));
            None
        }
    }
}

fn read_pointer<'a>(
    text: Option<Text<'a>>,
    member: &str,
    report: &mut impl FnMut(Violation),
) -> Option<Pointer<'a>> {
    match text {
        Some(Ok(text)) if text.len() > POINTER_MAX => {
            pointer_too_long(&format!("`{member}`"), &text).into_iter().for_each(report);
            None
        }
        Some(Ok(text)) => match Pointer::parse(text) {
            Ok(pointer) => Some(pointer),
            Err(malformed) => {
                report(Violation::new(
                    Code::PointerMalformed,
                    format!("`{member}` is not a JSON Pointer: {malformed}"),
                ));
                None
            }
        },
        Some(Err(kind)) => {
            let message = format!("`{member}` is a string, but this one is of type {kind}");
            report(Violation::new(Code::PointerMalformed, message));
            None
        }
        None => {
            let message = format!("the op needs the member `{member}`");
            report(Violation::new(Code::OpMemberMissing, message));
            None
        }
    }
}

/// The violation that a pointer with this text amounts to, if it is too long.
pub(super) fn pointer_too_long(what: &str, text: &str) -> Option<Violation> {
    let message = || format!("{what} is longer than {POINTER_MAX} bytes");
    (text.len() > POINTER_MAX).then(|| Violation::new(Code::PointerMalformed, message()))
}

/// Reports the members that this operation does not take: `untaken` of those that ops have, and
/// `others`.
fn refuse_others(
    untaken: usize,
    others: &[Cow<'_, str>],
    unknown: UnknownMembers,
    report: &mut impl FnMut(Violation),
) {
    const KNOWN: [&str; 4] = ["op", "path", "value", "from"];
    let not_taken = || {
        let message = "the op has a member that this operation does not take";
        Violation::new(Code::OpMemberUnknown, message).accepted(KNOWN)
    };
    (0..untaken).for_each(|_| report(not_taken()));
    for name in others {
        if KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let message = "a member is named like one of an op, but in another case";
            report(Violation::new(Code::NameCaseVariant, message).accepted(KNOWN));
        } else if unknown == UnknownMembers::Refuse {
            report(not_taken());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<(Code, Option<usize>)> {
        match Patch::read(text.as_bytes(), Bounds::default(), UnknownMembers::Refuse) {
            Ok(_) => Vec::new(),
            Err(found) => found.iter().map(|v| (v.code, v.op)).collect(),
        }
    }

    #[test]
    fn every_bad_op_is_reported_by_its_index() {
        let text = r#"[{"op":"replace","path":"/a","value":null},{"op":"REPLACE","path":"/a","value":1},
            7,{"path":"/a"},{"op":"add","path":"a"},{"op":"move","path":"/b"}]"#;
        assert_eq!(
            codes(text),
            [
                (Code::OpUnknown, Some(1)),
                (Code::PatchNotArray, Some(2)),
                (Code::OpMemberMissing, Some(3)),
                (Code::PointerMalformed, Some(4)),
                (Code::OpMemberMissing, Some(4)),
                (Code::OpMemberMissing, Some(5)),
            ]
        );
    }

    #[test]
    fn what_a_lenient_upstream_would_read_otherwise_is_refused() {
        for (text, code) in [
            (r#"[{"op":" replace","path":"/a","value":1}]"#, Code::OpUnknown),
            (r#"[{"op":2,"path":"/a","value":1}]"#, Code::OpUnknown),
            (r#"[{"op":"replace","path":"/a","Path":"/id","value":1}]"#, Code::NameCaseVariant),
            (r#"[{"op":"replace","path":"/a","value":1,"from":"/b"}]"#, Code::OpMemberUnknown),
            (r#"[{"op":"remove","path":"/a","value":1}]"#, Code::OpMemberUnknown),
            (r#"[{"op":"replace","path":"/a","value":1,"$type":"x"}]"#, Code::OpMemberUnknown),
            (
                r#"[{"op":"replace","path":"/a","value":1,"\u006fp":"remove"}]"#,
                Code::BodyDuplicateMember,
            ),
            (r#"[{"op":"replace","path":["/a"],"value":1}]"#, Code::PointerMalformed),
            (r#"{"op":"replace","path":"/a","value":1}"#, Code::PatchNotArray),
            (r#""text""#, Code::PatchNotArray),
        ] {
            assert_eq!(codes(text).first().map(|found| found.0), Some(code), "{text}");
        }
    }

    #[test]
    fn unknown_members_pass_only_where_the_policy_lets_them_and_never_as_a_case_variant() {
        let read = |text: &'static str| {
            Patch::read(text.as_bytes(), Bounds::default(), UnknownMembers::Permit)
        };
        assert!(read(r#"[{"op":"remove","path":"/a","comment":"x"}]"#).is_ok());
        assert!(read(r#"[{"op":"remove","path":"/a","OP":"add"}]"#).is_err());
        assert!(read(r#"[{"op":"remove","path":"/a","value":1}]"#).is_err());
    }

    #[test]
    fn null_is_a_value_and_an_empty_array_is_a_patch() {
        assert_eq!(codes(r#"[{"op":"add","path":"","value":null}]"#), []);
        assert_eq!(codes("[]"), []);
    }
}
