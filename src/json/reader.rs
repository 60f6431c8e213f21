//! The strict reader: I-JSON (RFC 7493) within bounds, in one pass.

mod blank;
mod number;
mod string;

use super::{Bounds, Fault, Object, Unreadable, Value};

use std::borrow::Cow;
use std::collections::HashSet;

/// Reads the one JSON text that `bytes` are.
///
/// # Errors
///
/// When they are not UTF-8, not exactly one JSON text, hold a member twice in one object, a lone
/// surrogate, a number that 64 bits cannot hold exactly, or more than `bounds` allow.
pub fn read(bytes: &[u8], bounds: Bounds) -> Result<Value<'_>, Unreadable> {
    read_as(bytes, bounds, Reader::value)
}

/// Reads the one JSON text that `bytes` are, and makes of it what `root` does.
///
/// # Errors
///
/// Those of [`read`]; but members that are named twice are for `root` to find where it reads an
/// object by itself.
pub(crate) fn read_as<'a, T>(
    bytes: &'a [u8],
    bounds: Bounds,
    root: impl FnOnce(&mut Reader<'a>) -> Result<T, Failed>,
) -> Result<T, Unreadable> {
    let text = std::str::from_utf8(bytes).map_err(|error| Unreadable {
        fault: Fault::Syntax("not UTF-8"),
        offset: error.valid_up_to(),
        item: None,
    })?;
    let mut reader = Reader { text, at: 0, bounds, depth: 0, values: 0, item: None, fault: None };
    reader.document(root).map_err(|Failed| Unreadable {
        // INVARIANT: only `fail` makes a `Failed`.
        fault: reader.fault.unwrap_or(Fault::TooMuch),
        offset: reader.at,
        item: reader.item,
    })
}

/// A place in a text that is being read.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    bounds: Bounds,
    depth: usize,
    values: usize,
    item: Option<usize>,
    fault: Option<Fault>,
}

/// Reading has failed; the reader knows why. (It says nothing itself, so that what is read is moved
/// as it is.)
#[derive(Debug)]
pub(crate) struct Failed;

impl<'a> Reader<'a> {
    /// Reading fails, by this fault.
    #[cold]
    pub(crate) fn fail(&mut self, fault: Fault) -> Failed {
        self.fault = Some(fault);
        Failed
    }

    fn document<T>(
        &mut self,
        root: impl FnOnce(&mut Self) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        if self.text.starts_with('\u{feff}') {
            return Err(self.fail(Fault::Syntax("a byte order mark stands before the text")));
        }
        self.next();
        let value = root(self)?;
        self.item = None;
        self.next();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.fail(Fault::Syntax("something follows the JSON text"))),
        }
    }

    /// Whether `byte` comes next, with which an array or an object begins.
    pub(crate) fn is_at(&self, byte: u8) -> bool {
        self.peek() == Some(byte)
    }

    /// Reads the value that comes next.
    #[inline(always)] // Most values are strings, and are made where they are wanted.
    pub(crate) fn value(&mut self) -> Result<Value<'a>, Failed> {
        if self.is_at(b'"') { Ok(Value::String(self.text()?)) } else { self.other_value() }
    }

    /// Reads the string that comes next.
    #[inline(always)]
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Failed> {
        self.count()?;
        self.string()
    }

    /// Reads the value that comes next, which is no string.
    #[inline(never)]
    pub(crate) fn other_value(&mut self) -> Result<Value<'a>, Failed> {
        match self.peek() {
            Some(b'{') => {
                let mut members = Vec::new();
                self.object(|reader, name| {
                    if !reader.is_at(b'"') {
                        return reader.other_member(name, &mut members);
                    }
                    let text = reader.text()?;
                    reader.make_room(&mut members)?;
                    members.push((name, Value::String(text)));
                    Ok(())
                })?;
                self.refuse_twins(members.iter().map(|(name, _)| &**name))?;
                Ok(Value::Object(Object(members.into())))
            }
            Some(b'[') => {
                let mut elements = Vec::new();
                self.array(|reader, _| {
                    elements.push(reader.value()?);
                    Ok(())
                })?;
                Ok(Value::Array(elements.into()))
            }
            other => {
                self.count()?;
                match other {
                    Some(b'-' | b'0'..=b'9') => self.number(),
                    Some(b't') => self.word("true", Value::Bool(true)),
                    Some(b'f') => self.word("false", Value::Bool(false)),
                    Some(b'n') => self.word("null", Value::Null),
                    Some(_) => Err(self.fail(Fault::Syntax("not the beginning of a value"))),
                    None => {
                        Err(self.fail(Fault::Syntax("the text ends where a value is expected")))
                    }
                }
            }
        }
    }

    /// Reads the value of a member that is no string, out of the way of those that are.
    #[inline(never)]
    fn other_member(
        &mut self,
        name: Cow<'a, str>,
        members: &mut Vec<(Cow<'a, str>, Value<'a>)>,
    ) -> Result<(), Failed> {
        members.push((name, self.other_value()?));
        Ok(())
    }

    /// Makes room for another one in `list`. Where room is known to be there, what is added is not moved to it in
    /// one piece, having just been written in several, for which a processor waits.
    #[inline(always)]
    pub(crate) fn make_room<T>(&mut self, list: &mut Vec<T>) -> Result<(), Failed> {
        if list.len() == list.capacity() {
            grow(list);
        }
        if list.len() < list.capacity() { Ok(()) } else { Err(self.fail(Fault::TooMuch)) }
    }

    fn count(&mut self) -> Result<(), Failed> {
        self.values += 1;
        if self.values > self.bounds.values { Err(self.fail(Fault::TooMuch)) } else { Ok(()) }
    }

    /// Goes into the array or the object that comes next, and on to what stands first in it.
    fn enter(&mut self) -> Result<u8, Failed> {
        self.count()?;
        if self.depth == self.bounds.depth {
            return Err(self.fail(Fault::TooDeep));
        }
        self.depth += 1;
        Ok(self.advance())
    }

    /// Reads the array that comes next, each element by `element`, which is told its index.
    pub(crate) fn array(
        &mut self,
        mut element: impl FnMut(&mut Self, usize) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let mut next = self.enter()?;
        let outermost = self.depth == 1;
        let mut index = 0;
        if next != b']' {
            loop {
                if outermost {
                    if index == self.bounds.items {
                        return Err(self.fail(Fault::TooManyItems));
                    }
                    self.item = Some(index);
                }
                element(self, index)?;
                index += 1;
                next = self.next();
                if next == b']' {
                    break;
                }
                if next != b',' {
                    return Err(self.fail(Fault::Syntax("`,` or `]` is expected after an element")));
                }
                self.advance();
            }
        }
        self.leave();
        Ok(())
    }

    /// Reads the object that comes next, each member by `member`, which is told its name and has
    /// to see to it that none is there twice.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let mut next = self.enter()?;
        if next != b'}' {
            loop {
                if next != b'"' {
                    return Err(self.fail(Fault::Syntax("a member name is expected")));
                }
                let name = self.string()?;
                if self.next() != b':' {
                    return Err(self.fail(Fault::Syntax("`:` is expected after a member name")));
                }
                self.advance();
                member(self, name)?;
                next = self.next();
                if next == b'}' {
                    break;
                }
                if next != b',' {
                    return Err(self.fail(Fault::Syntax("`,` or `}` is expected after a member")));
                }
                next = self.advance();
            }
        }
        self.leave();
        Ok(())
    }

    /// Goes behind the end of an array or an object.
    fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Refuses members of one object of which two have the same of these names.
    pub(crate) fn refuse_twins<'n>(
        &mut self,
        mut names: impl ExactSizeIterator<Item = &'n str> + Clone,
    ) -> Result<(), Failed> {
        let found = if names.len() <= 16 {
            std::iter::from_fn(|| names.next().map(|name| (name, names.clone())))
                .any(|(name, mut others)| others.any(|other| other == name))
        } else {
            let mut seen = HashSet::with_capacity(names.len());
            !names.all(|name| seen.insert(name))
        };
        if found { Err(self.fail(Fault::DuplicateMember)) } else { Ok(()) }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Failed> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.fail(Fault::Syntax("not the beginning of a value")))
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&mut self, start: usize, end: usize) -> Result<&'a str, Failed> {
        let text: &'a str = self.text;
        // Both ends lie beside an ASCII byte, so this never fails; the error keeps it total.
        text.get(start..end).ok_or_else(|| self.fail(Fault::Syntax("not UTF-8")))
    }
}

#[inline(never)]
fn grow<T>(list: &mut Vec<T>) {
    list.reserve(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<Fault> {
        read(text.as_bytes(), Bounds::default()).err().map(|unreadable| unreadable.fault)
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "[1] 2",
            "nul",
            "'a'",
            "{a:1}",
            "[1 2]",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "0x10",
            "NaN",
            "Infinity",
            "\"\\x\"",
            "\"\u{1}\"",
            "\"\\ud800\"",
            "\"\\udc00\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\u{feff}1",
            "// c\n1",
            "/**/1",
            "\"a",
            "[\"a\",",
            "tru",
            "\"\\u12\"",
            "{\"a\" 1}",
            "{1:2}",
            "]",
            "\u{a0}1",
            "1\u{0}",
        ] {
            assert!(matches!(fault(text), Some(Fault::Syntax(_))), "{text:?}: {:?}", fault(text));
        }
        assert!(read(b"\"\xff\"", Bounds::default()).is_err());
        assert!(read(b"\xff\xfe[\0]\0", Bounds::default()).is_err());
        assert!(read(b"\"\xc0\xaf\"", Bounds::default()).is_err());
    }

    #[test]
    fn duplicates_are_found_at_any_depth_and_after_unescaping() {
        assert_eq!(fault(r#"{"a":1,"\u0061":2}"#), Some(Fault::DuplicateMember));
        assert_eq!(fault(r#"[{"v":{"x":{"a":1,"b":2,"a":3}}}]"#), Some(Fault::DuplicateMember));
        let many: Vec<_> = (0..40).map(|n| format!("\"m{}\":0", n % 39)).collect();
        assert_eq!(fault(&format!("{{{}}}", many.join(","))), Some(Fault::DuplicateMember));
        assert_eq!(fault(r#"{"a":1,"A":2}"#), None);
    }

    #[test]
    fn bounds_hold_before_anything_is_built() {
        assert_eq!(fault(&"[".repeat(400_000)), Some(Fault::TooDeep));
        let ops = format!("[{}]", vec!["{}"; 300_000].join(","));
        let timed = |bounds| {
            let started = std::time::Instant::now();
            let found = read(ops.as_bytes(), bounds).map(drop);
            (found.map_err(|error| (error.fault, error.item)), started.elapsed())
        };
        let (refused, early) = timed(Bounds::default());
        assert_eq!(refused, Err((Fault::TooManyItems, Some(99))));
        let wide = Bounds { items: usize::MAX, values: usize::MAX, ..Bounds::default() };
        let (read_whole, whole) = timed(wide);
        assert_eq!(read_whole, Ok(()));
        assert!(early * 4 < whole, "early, not after a tree: {early:?} of {whole:?}");
        let long = format!("\"{}\"", "a".repeat(70_000));
        assert_eq!(fault(&long), Some(Fault::TooMuch));
    }

    #[test]
    fn what_is_read_is_written_again_as_it_was() {
        for text in [
            r#"[{"op":"replace","path":"/details/dealValue","value":"10000"}]"#,
            r#"{"a":[1,1.0,-0,1E2,12345678901234567890],"b":{"c":null,"d":[true,false]},"e":""}"#,
            "\"\\u0001\\\\\\\"\u{e9}\u{1f600}\"",
        ] {
            assert_eq!(
                read(text.as_bytes(), Bounds::default()).map(|v| v.to_string()),
                Ok(text.into())
            );
        }
        let surrogates = read(br#""\ud83d\ude00\/""#, Bounds::default());
        assert_eq!(surrogates.map(|v| v.to_string()), Ok("\"\u{1f600}/\"".into()));
    }
}
