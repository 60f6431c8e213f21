//! The switches of the sandbox: weather, and one for each thing that is not known of the real API.
//!
//! `UNK n` is item n of the open questions (§11) in the facts about the API. Each default is what the
//! documents say, else what a standard says, else what the stricter of two servers would do.

use clap::{Args, ValueEnum};
use http::StatusCode;

use std::time::Duration;

/// Whether a doubtful request is answered as a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stance {
    /// It is served.
    Accept,
    /// It is refused.
    Refuse,
}

impl Stance {
    pub(super) fn refuses(self) -> bool {
        self == Self::Refuse
    }
}

/// Whether something undocumented is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is not.
    Off,
    /// It is.
    On,
}

impl Switch {
    pub(super) fn is_on(self) -> bool {
        self == Self::On
    }
}

/// How member names in the paths and values of a patch are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NameCase {
    /// As they are written.
    Exact,
    /// Without regard to case.
    Ignore,
}

/// In what form money is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DealValue {
    /// As a number, or as a string that holds one.
    Both,
    /// Only as a number.
    Number,
    /// Only as a string that holds a number.
    String,
}

/// What becomes of something that is not the caller's to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Foreign {
    /// It is left out without a word, and the rest is done.
    Ignore,
    /// The whole request is refused.
    Refuse,
}

/// Which paths a patch may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PatchPaths {
    /// Every member that is not read-only.
    Any,
    /// Only those that Microsoft's own connector declares.
    Connector,
}

/// Everything about the sandbox that can be switched.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Switches (UNK n: open question n in the facts about the API)")]
pub struct Options {
    /// Wait this long before each answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency_ms: u64,

    /// Answer this share of the requests with 500 and apply nothing, evenly spread (0 to 1)
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub error_rate: f64,

    /// Answer 429 to all but this many requests of each window; without it nothing is throttled (UNK 9)
    #[arg(long, value_name = "REQUESTS")]
    pub throttle_after: Option<u64>,

    /// How long a window of `--throttle-after` is, in seconds (UNK 9)
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub throttle_window: u64,

    /// What `Retry-After` says; without it, the seconds that are left of the window (UNK 9)
    #[arg(long, value_name = "SECONDS")]
    pub retry_after: Option<u64>,

    /// The status for an op that is neither `add` nor `replace` (UNK 1)
    #[arg(long, value_name = "STATUS", default_value_t = 400, value_parser = client_error())]
    pub unsupported_op_status: u16,

    /// The status for a status and substatus that do not go together, or a step that is not in the table (UNK 1)
    #[arg(long, value_name = "STATUS", default_value_t = 400, value_parser = client_error())]
    pub bad_transition_status: u16,

    /// The status for a path that does not exist or is read-only (UNK 1)
    #[arg(long, value_name = "STATUS", default_value_t = 400, value_parser = client_error())]
    pub bad_path_status: u16,

    /// The status for a value of the wrong type (UNK 1)
    #[arg(long, value_name = "STATUS", default_value_t = 400, value_parser = client_error())]
    pub bad_value_status: u16,

    /// What becomes of an op on a read-only member (UNK 1)
    #[arg(long, value_enum, default_value_t = Foreign::Refuse)]
    pub read_only_paths: Foreign,

    /// What becomes of members that no document knows, inside values and bodies (UNK 1)
    #[arg(long, value_enum, default_value_t = Foreign::Refuse)]
    pub unknown_members: Foreign,

    /// A patch of `/status` without `/substatus`, or the reverse; the pair must fit all the same (UNK 2)
    #[arg(long, value_enum, default_value_t = Stance::Accept)]
    pub single_state_field: Stance,

    /// A step from one closed substatus to another: the API's table has it, the portal does not (UNK 3)
    #[arg(long, value_enum, default_value_t = Stance::Accept)]
    pub closed_to_closed: Stance,

    /// Any other change to a closed referral but its deal registration: the portal has none (UNK 3)
    #[arg(long, value_enum, default_value_t = Stance::Accept)]
    pub closed_edits: Stance,

    /// The substatuses `Engaged` (Active) and `Error` (Closed), which only third parties mention (UNK 4)
    #[arg(long, value_enum, default_value_t = Stance::Refuse)]
    pub newer_substatuses: Stance,

    /// A patch sent as `application/json-patch+json`; refused with 415, for no document names it (UNK 5)
    #[arg(long, value_enum, default_value_t = Stance::Refuse)]
    pub json_patch_media_type: Stance,

    /// How the member names of a patch are compared (UNK 5)
    #[arg(long, value_enum, default_value_t = NameCase::Exact)]
    pub patch_path_case: NameCase,

    /// `If-Match: *`; refused with 412. RFC 9110 has it match whatever exists (UNK 5)
    #[arg(long, value_enum, default_value_t = Stance::Accept)]
    pub if_match_star: Stance,

    /// A weak tag in `If-Match`; refused with 412, for RFC 9110 compares strongly (UNK 5)
    #[arg(long, value_enum, default_value_t = Stance::Refuse)]
    pub weak_tags: Stance,

    /// A tag without its quotes in `If-Match`; refused with 412, for a sister API demands them (UNK 5)
    #[arg(long, value_enum, default_value_t = Stance::Refuse)]
    pub unquoted_tags: Stance,

    /// The status of a PUT without `If-Match`, of which the documents only say that it must be set (facts §4.2)
    #[arg(long, value_name = "STATUS", default_value_t = 400, value_parser = client_error())]
    pub unconditional_put_status: u16,

    /// The status of a PATCH that is answered with a body (UNK 6)
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = success())]
    pub representation_status: u16,

    /// The status of a POST: today's page lists 201, the connector declares 200 (facts §1)
    #[arg(long, value_name = "STATUS", default_value_t = 201, value_parser = success())]
    pub created_status: u16,

    /// An `ETag` response header beside the `eTag` member (UNK 6)
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    pub etag_header: Switch,

    /// A `Preference-Applied` response header where `Prefer` was heeded (UNK 6)
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    pub preference_applied: Switch,

    /// A `Location` response header after a POST (facts §5)
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    pub location: Switch,

    /// The most ops a patch may have (UNK 7)
    #[arg(long, value_name = "OPS", default_value_t = 100)]
    pub max_ops: usize,

    /// The most bytes a body may have, up to 1 MiB; beyond it the answer is 413 (UNK 7)
    #[arg(long, value_name = "BYTES", default_value_t = BODY_MAX,
          value_parser = clap::value_parser!(u64).range(..=BODY_MAX))]
    pub max_body: u64,

    /// Which paths a patch may name (UNK 10)
    #[arg(long, value_enum, default_value_t = PatchPaths::Any)]
    pub patch_paths: PatchPaths,

    /// The form of `dealValue` in requests: its type is decimal, the documented example a string (facts §4.1)
    #[arg(long, value_enum, default_value_t = DealValue::Both)]
    pub deal_value: DealValue,

    /// Taking back that Microsoft's sellers may see the deal: the portal says one cannot (facts §4.6)
    #[arg(long, value_enum, default_value_t = Stance::Refuse)]
    pub sharing_withdrawal: Stance,

    /// The origin of the links in answers. The default sends whoever follows them past any gateway, as the real API does
    #[arg(long, value_name = "URL", default_value = ORIGIN)]
    pub public_url: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            error_rate: 0.0,
            throttle_after: None,
            throttle_window: 60,
            retry_after: None,
            unsupported_op_status: 400,
            bad_transition_status: 400,
            bad_path_status: 400,
            bad_value_status: 400,
            read_only_paths: Foreign::Refuse,
            unknown_members: Foreign::Refuse,
            single_state_field: Stance::Accept,
            closed_to_closed: Stance::Accept,
            closed_edits: Stance::Accept,
            newer_substatuses: Stance::Refuse,
            json_patch_media_type: Stance::Refuse,
            patch_path_case: NameCase::Exact,
            if_match_star: Stance::Accept,
            weak_tags: Stance::Refuse,
            unquoted_tags: Stance::Refuse,
            unconditional_put_status: 400,
            representation_status: 200,
            created_status: 201,
            etag_header: Switch::Off,
            preference_applied: Switch::Off,
            location: Switch::Off,
            max_ops: 100,
            max_body: BODY_MAX,
            patch_paths: PatchPaths::Any,
            deal_value: DealValue::Both,
            sharing_withdrawal: Stance::Refuse,
            public_url: ORIGIN.to_owned(),
        }
    }
}

impl Options {
    pub(super) fn latency(&self) -> Option<Duration> {
        (self.latency_ms > 0).then(|| Duration::from_millis(self.latency_ms))
    }
}

/// The status a switch names; they are all read within the range of statuses.
pub(super) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}

/// The most bytes of a body that are ever read.
pub(super) const BODY_MAX: u64 = 1024 * 1024;

const ORIGIN: &str = "https://api.partner.microsoft.com";

fn client_error() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(400..=499)
}

fn success() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(200..=299)
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn read(line: &str) -> Option<Options> {
        let words = std::iter::once("sandbox").chain(line.split_whitespace());
        Line::try_parse_from(words).ok().map(|line| line.options)
    }

    #[test]
    fn an_empty_command_line_gives_the_defaults() {
        assert_eq!(read(""), Some(Options::default()));
    }

    #[test]
    fn switches_are_flags() {
        let line = "--latency-ms 5 --error-rate 0.25 --throttle-after 3 --retry-after 7 \
            --patch-path-case ignore --closed-to-closed refuse --etag-header on \
            --bad-transition-status 409 --deal-value string --patch-paths connector";
        let read = read(line).expect("flags that exist");
        assert_eq!(read.latency(), Some(Duration::from_millis(5)));
        assert_eq!(
            (read.error_rate, read.throttle_after, read.retry_after),
            (0.25, Some(3), Some(7))
        );
        assert_eq!(read.patch_path_case, NameCase::Ignore);
        assert_eq!(read.bad_transition_status, 409);
        assert!(read.closed_to_closed.refuses() && read.etag_header.is_on());
    }

    #[test]
    fn values_out_of_range_are_usage_errors() {
        for line in [
            "--error-rate 1.1",
            "--error-rate NaN",
            "--bad-transition-status 200",
            "--created-status 400",
            "--throttle-window 0",
            "--max-body 1048577",
            "--weak-tags maybe",
        ] {
            assert!(read(line).is_none(), "{line}");
        }
    }
}
