//! The trace that a request belongs to (W3C Trace Context): one that is well-formed goes on, with
//! our span as its parent; in the place of any other a new one begins.

mod sampling;

pub use sampling::Sampling;

use super::fields::Fields;
use super::random::random;

use http::header::HeaderName;

/// The trace, and the span in it that calls.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What those that a trace went through noted of it.
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What we note it under.
const KEY: &str = "patchgate";

/// The longest `traceparent` of any version that is read.
const PARENT_MAX: usize = 256;
/// The bounds of `tracestate`; where something has to go, the members longer than `LONG` go first.
const STATE_MAX: usize = 512;
const MEMBERS_MAX: usize = 32;
const LONG: usize = 128;

/// The flag that the caller may have recorded the trace, and the one that its id is random.
const SAMPLED: u8 = 1;
const RANDOM: u8 = 2;

/// The id of a span: 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId([u8; 16]);

impl SpanId {
    fn make() -> Self {
        Self(hex(random()))
    }

    /// Its bytes.
    pub fn bytes(self) -> [u8; 8] {
        bits(&self.0).to_be_bytes()
    }
}

/// A trace, with a span of ours in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    id: [u8; 32],
    /// The span of the caller that ours is a part of.
    parent: Option<SpanId>,
    span: SpanId,
    flags: u8,
    is_recorded: bool,
    state: Option<String>,
}

impl Trace {
    /// Takes the trace out of `fields`; it is continued if it is well-formed, else another begins.
    /// `sampling` says whether it is recorded; nothing is recorded without.
    pub fn take(fields: &mut Fields, sampling: Option<Sampling>) -> Self {
        let parent = fields.sole(&TRACEPARENT).ok().flatten();
        let trace = match parent.and_then(|parent| parse(parent.as_str()?)) {
            Some(Parent { id, span: parent, flags }) => {
                let span = SpanId::make();
                let (is_recorded, parent) = (flags & SAMPLED != 0, Some(parent));
                let state = Some(state_of(fields, span));
                Self { id, parent, span, flags, is_recorded, state }.sampled(sampling)
            }
            None => Self::begin(sampling),
        };
        fields.remove(&TRACEPARENT);
        fields.remove(&TRACESTATE);
        trace
    }

    /// One that begins here: it is recorded by nobody so far, and has a random id.
    pub fn begin(sampling: Option<Sampling>) -> Self {
        let mut id = [0; 32];
        let (high, low) = id.split_at_mut(16);
        high.copy_from_slice(&hex(random()));
        low.copy_from_slice(&hex(random()));
        let (parent, flags, is_recorded, state) = (None, RANDOM, false, None);
        Self { id, parent, span: SpanId::make(), flags, is_recorded, state }.sampled(sampling)
    }

    fn sampled(mut self, sampling: Option<Sampling>) -> Self {
        match sampling {
            None => self.is_recorded = false,
            Some(sampling) if sampling.follows_callers && self.parent.is_some() => {}
            Some(sampling) => {
                self.is_recorded = sampling.draws(&self.id);
                self.flags = self.flags & !SAMPLED | u8::from(self.is_recorded);
            }
        }
        self
    }

    /// The id of the trace: 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        std::str::from_utf8(&self.id).unwrap_or_default()
    }

    /// The same in bytes.
    pub fn id_bytes(&self) -> [u8; 16] {
        let half = |half: Option<&[u8; 16]>| u128::from(half.map_or(0, bits));
        (half(self.id.first_chunk()) << 64 | half(self.id.last_chunk())).to_be_bytes()
    }

    /// Our span.
    pub fn span(&self) -> SpanId {
        self.span
    }

    /// The caller's span, if the trace began there.
    pub fn parent(&self) -> Option<SpanId> {
        self.parent
    }

    /// The flags that others are told.
    pub fn flags(&self) -> u8 {
        self.flags & (SAMPLED | RANDOM)
    }

    /// A span within ours, if spans are recorded.
    pub fn begin_span(&self) -> Option<SpanId> {
        self.is_recorded.then(SpanId::make)
    }

    /// Whether its spans are recorded.
    pub fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Tells `fields` of the trace; `span` is the one within ours that calls, if that is recorded.
    pub fn sign(&self, fields: &mut Fields, span: Option<SpanId>) {
        let SpanId(span) = span.unwrap_or(self.span);
        let flags = match (self.flags & SAMPLED != 0, self.flags & RANDOM != 0) {
            (false, false) => b"-00",
            (true, false) => b"-01",
            (false, true) => b"-02",
            (true, true) => b"-03",
        };
        fields.add_written(&TRACEPARENT, |text| {
            text.extend_from_slice(b"00-");
            text.extend_from_slice(&self.id);
            text.push(b'-');
            text.extend_from_slice(&span);
            text.extend_from_slice(flags);
        });
        if let Some(state) = &self.state {
            fields.add_written(&TRACESTATE, |text| text.extend_from_slice(state.as_bytes()));
        }
    }
}

/// Sixteen hexadecimal digits. (`format!` takes far longer, and this is done for every request.)
fn hex(bits: u64) -> [u8; 16] {
    let mut text = [0; 16];
    let (high, low) = text.split_at_mut(8);
    high.copy_from_slice(&eight(bits >> 32));
    low.copy_from_slice(&eight(bits & 0xffff_ffff));
    text
}

/// The eight digits of 32 bits: each half byte is moved to a byte of its own, and all are made digits
/// at once.
fn eight(bits: u64) -> [u8; 8] {
    let spread = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    let spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    let spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // One where the digit is a letter.
    let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (spread + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

/// The number that sixteen hexadecimal digits stand for.
fn bits(text: &[u8; 16]) -> u64 {
    text.iter().fold(0, |bits, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            _ => digit.wrapping_sub(b'a' - 10),
        };
        bits << 4 | u64::from(digit & 0xf)
    })
}

/// What a caller tells of a trace.
struct Parent {
    id: [u8; 32],
    span: SpanId,
    flags: u8,
}

fn parse(text: &str) -> Option<Parent> {
    if text.len() > PARENT_MAX {
        return None;
    }
    let mut parts = text.splitn(5, '-');
    let (version, id) = (parts.next()?, parts.next()?);
    let (span, flags, rest) = (parts.next()?, parts.next()?, parts.next());
    let sound = is_hex(version, 2)
        && version != "ff"
        && (version != "00" || rest.is_none())
        && is_hex(id, 32)
        && is_hex(span, 16)
        && is_hex(flags, 2)
        && [id, span].iter().all(|text| text.bytes().any(|byte| byte != b'0'));
    let span = SpanId(span.as_bytes().try_into().ok()?);
    let (id, flags) = (id.as_bytes().try_into().ok()?, u8::from_str_radix(flags, 16).ok()?);
    sound.then_some(Parent { id, span, flags })
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What is noted of a trace: our span, and behind it what others have noted.
fn state_of(fields: &Fields, SpanId(span): SpanId) -> String {
    let mut state = format!("{KEY}={}", span.escape_ascii());
    let mut others = members(fields).unwrap_or_default();
    others.truncate(MEMBERS_MAX - 1);
    let length =
        |others: &[&str]| state.len() + others.iter().map(|other| other.len() + 1).sum::<usize>();
    while length(&others) > STATE_MAX {
        let long = others.iter().rposition(|other| other.len() > LONG);
        others.remove(long.unwrap_or(others.len() - 1));
    }
    for other in others {
        state.push(',');
        state.push_str(other);
    }
    state
}

/// What others have noted of a trace; nothing if one of them is malformed.
fn members(fields: &Fields) -> Option<Vec<&str>> {
    let mut members: Vec<(&str, &str)> = Vec::new();
    for line in fields.get_all(&TRACESTATE) {
        let texts = line.as_str()?.split(',').map(|text| text.trim_matches([' ', '\t']));
        for text in texts.filter(|text| !text.is_empty()) {
            let (key, value) = text.split_once('=')?;
            let known = members.iter().any(|(other, _)| *other == key);
            if known || !is_key(key) || !is_value(value) || members.len() == MEMBERS_MAX {
                return None;
            }
            members.push((key, text));
        }
    }
    Some(members.into_iter().filter(|(key, _)| *key != KEY).map(|(_, text)| text).collect())
}

fn is_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    key.len() <= 256
        && key.bytes().next().is_some_and(plain)
        && key.bytes().all(|byte| plain(byte) || b"_-*/@".contains(&byte))
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~' if byte != b'='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::fields::FieldValue;

    use http::HeaderMap;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn take(lines: &[(&'static str, &str)]) -> (Trace, HeaderMap) {
        let mut came = Fields::default();
        for (name, value) in lines {
            came.add(&HeaderName::from_static(name), FieldValue::of(value).unwrap());
        }
        let trace = Trace::take(&mut came, None);
        assert_eq!(came.iter().count(), 0, "{came:?}");
        let mut fields = Fields::default();
        trace.sign(&mut fields, None);
        (trace, fields.to_map(false))
    }

    #[test]
    fn digits_are_those_that_everybody_writes() {
        for shift in 0..64 {
            for seed in [1, 0x9e37_79b9_7f4a_7c15, u64::MAX, 0x0123_4567_89ab_cdef] {
                let number = u64::rotate_left(seed, shift);
                assert_eq!(hex(number), *format!("{number:016x}").as_bytes());
                assert_eq!(bits(&hex(number)), number);
            }
        }
    }

    #[test]
    fn a_trace_goes_on_with_another_parent() {
        for (version, flags, rest, kept) in [
            ("00", "01", "", "01"),
            ("00", "ff", "", "03"),
            ("cc", "00", "", "00"),
            ("cc", "01", "-x.y", "01"),
        ] {
            let parent = format!("{version}-{ID}-00f067aa0ba902b7-{flags}{rest}");
            let (trace, sent) =
                take(&[("traceparent", &parent), ("tracestate", "a=1,patchgate=x")]);
            assert_eq!(trace.id(), ID, "{parent}");
            let sent_parent = sent["traceparent"].to_str().unwrap();
            let (start, span) = (&sent_parent[..36], &sent_parent[36..52]);
            assert_eq!(start, format!("00-{ID}-"));
            assert!(span != "00f067aa0ba902b7" && is_hex(span, 16), "{sent_parent}");
            assert_eq!(&sent_parent[52..], format!("-{kept}"));
            assert_eq!(sent["tracestate"], format!("patchgate={span},a=1"));
        }
    }

    #[test]
    fn in_the_place_of_what_is_no_trace_another_begins() {
        let zero = "0".repeat(32);
        let good = format!("00-{ID}-00f067aa0ba902b7-01");
        for parent in [
            "",
            "00",
            &good.to_uppercase(),
            &good.replacen("00", "ff", 1),
            &good.replacen("00", "0", 1),
            &good.replace(ID, &zero),
            &good.replace("00f067aa0ba902b7", &zero[..16]),
            &good.replace(ID, &ID[1..]),
            &good.replace("-01", "-1"),
            &format!("{good}-"),
            &format!("{good}-x"),
            &format!("{}.x", good.replacen("00", "cc", 1)),
            &format!("{}-{}", good.replacen("00", "cc", 1), "x".repeat(PARENT_MAX)),
            &format!("{good},{good}"),
        ] {
            let (trace, sent) = take(&[("traceparent", parent), ("tracestate", "a=1")]);
            assert!(is_hex(trace.id(), 32) && trace.id() != ID && trace.id() != zero, "{parent}");
            assert!(parse(sent["traceparent"].to_str().unwrap()).is_some());
            assert!(!sent.contains_key("tracestate"), "{parent}");
        }
        let (twice, _) = take(&[("traceparent", &good), ("traceparent", &good)]);
        assert_ne!(twice.id(), ID);
        assert_ne!(take(&[]).0.id(), take(&[]).0.id());
    }

    #[test]
    fn ids_are_told_in_bytes_as_well() {
        let (trace, _) = take(&[("traceparent", &format!("00-{ID}-00f067aa0ba902b7-01"))]);
        let id = u128::from_str_radix(ID, 16).unwrap().to_be_bytes();
        assert_eq!(trace.id_bytes(), id);
        assert_eq!(trace.parent().unwrap().bytes(), 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
        assert!(!trace.is_recorded() && trace.begin_span().is_none());
    }

    #[test]
    fn what_others_have_noted_is_kept_in_order_or_not_at_all() {
        let noted = |lines: &[&str]| {
            let parent = format!("00-{ID}-00f067aa0ba902b7-01");
            let mut all = vec![("traceparent", &*parent)];
            all.extend(lines.iter().map(|line| ("tracestate", *line)));
            let (_, sent) = take(&all);
            let (ours, others) = sent["tracestate"].to_str().unwrap().split_at(26);
            assert!(ours.starts_with("patchgate="), "{ours}");
            others.to_owned()
        };
        assert_eq!(noted(&["b=2 , ,a=1\t", "0@v=x y"]), ",b=2,a=1,0@v=x y");
        for bad in ["a", "a=", "A=1", "a=1=2", "a=1,a=2", "=1", "a b=1", "-a=1"] {
            assert_eq!(noted(&["b=2", bad]), "", "{bad}");
        }
        let many = |count: usize| {
            let each: Vec<_> = (0..count).map(|index| format!("k{index}=1")).collect();
            each.join(",")
        };
        assert_eq!(noted(&[&many(32)]), format!(",{}", many(31)));
        assert_eq!(noted(&[&many(33)]), "");
        let (long, short) = (format!("l={}", "x".repeat(200)), format!("s={}", "x".repeat(100)));
        let others = [&*short, &long, &long.replace('l', "m"), &short.replace('s', "t")];
        assert_eq!(noted(&[&others.join(",")]), format!(",{short},{long},{}", others[3]));
    }
}
