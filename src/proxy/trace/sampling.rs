//! Which traces are recorded.

use super::bits;

/// Which traces are recorded, where spans are exported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Whether a trace that goes on is recorded if, and only if, its caller records it.
    pub follows_callers: bool,
    /// The share of all others, from 0 to 1.
    pub ratio: f64,
}

impl Sampling {
    /// Whether the trace `id` is one of the share. Whoever has the same share, and decides by the same
    /// bits (the last 56), says the same.
    pub(super) fn draws(self, id: &[u8; 32]) -> bool {
        const BITS: u32 = 56;
        let drawn = id.last_chunk().map_or(0, bits) & ((1 << BITS) - 1);
        #[allow(clippy::cast_precision_loss, reason = "2^-53 more or less is the same share")]
        let drawn = drawn as f64 / f64::from(BITS).exp2();
        drawn >= 1.0 - self.ratio
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RANDOM, TRACEPARENT, Trace};
    use super::*;

    use crate::proxy::fields::Fields;

    use http::HeaderValue;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn which_traces_are_recorded_is_the_callers_to_say_or_a_share() {
        let sampled = |flags: u8, follows_callers, ratio| {
            let parent = HeaderValue::try_from(format!("00-{ID}-00f067aa0ba902b7-{flags:02x}"));
            let mut fields = Fields::from_iter([(TRACEPARENT, parent.unwrap())]);
            let trace = Trace::take(&mut fields, Some(Sampling { follows_callers, ratio }));
            assert_eq!(trace.begin_span().is_some(), trace.is_recorded());
            assert_eq!(trace.flags(), u8::from(trace.is_recorded()) | flags & RANDOM);
            trace.is_recorded()
        };
        assert!(sampled(1, true, 0.0) && !sampled(2, true, 1.0));
        assert!(!sampled(1, false, 0.0) && sampled(2, false, 1.0));
        // Its last 56 bits are 0.81 of what they can be.
        assert!(!sampled(0, false, 0.18) && sampled(0, false, 0.20));
        let begun = |ratio| {
            let sampling = Sampling { follows_callers: true, ratio };
            let traces = (0..10_000).map(|_| Trace::take(&mut Fields::default(), Some(sampling)));
            traces.filter(Trace::is_recorded).count()
        };
        assert_eq!((begun(0.0), begun(1.0)), (0, 10_000));
        let some = begun(0.25);
        assert!((2_200..2_800).contains(&some), "{some}");
    }
}
