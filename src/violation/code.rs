//! The codes: a public promise. A code never changes its meaning and is named for the fault.

use std::fmt;

/// What kind of fault a code names; it decides the status of the answer.
///
/// In order of precedence: when violations of several classes are found, the first one answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The body is not what it claims to be.
    Malformed,
    /// The body is larger than the gateway reads.
    TooLarge,
    /// A precondition is demanded and missing.
    PreconditionRequired,
    /// A precondition does not hold.
    PreconditionFailed,
    /// Understood, but not allowed.
    Forbidden,
    /// Allowed as such, but not from the state the resource is in.
    Conflict,
}

macro_rules! codes {
    ($($variant:ident $slug:literal $class:ident $title:literal,)*) => {
        /// The stable name of a fault.
        ///
        /// A closed set. Each has a page under `src/violation/pages` that says what it is, why
        /// it is refused, and what to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it is written in answers, logs and links.
            pub fn slug(self) -> &'static str {
                match self {
                    $(Self::$variant => $slug,)*
                }
            }

            /// One line for people; the same for every violation of this code.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }

            /// The class of fault, which decides the status.
            pub fn class(self) -> Class {
                match self {
                    $(Self::$variant => Class::$class,)*
                }
            }

            /// The page that explains the code, in Markdown.
            pub fn page(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!("pages/", $slug, ".md")),)*
                }
            }
        }
    };
}

codes! {
    BodyDuplicateMember "body-duplicate-member" Malformed "an object names a member twice",
    BodyNotJson "body-not-json" Malformed "the body is not one JSON text",
    BodyTooDeep "body-too-deep" Malformed "the body is nested too deeply",
    BodyTooLarge "body-too-large" TooLarge "the body holds more than the gateway reads",
    BodyUnexpected "body-unexpected" Malformed "the body is of another form than the route takes",
    CurrentUnknown "current-unknown" Conflict "the current state is needed and could not be used",
    FieldImmutable "field-immutable" Forbidden "the patch changes a field that cannot be changed",
    FieldsSeparated "fields-separated" Forbidden "fields that change only together are changed apart",
    IfMatchFailed "if-match-failed" PreconditionFailed "If-Match does not hold",
    IfMatchMalformed "if-match-malformed" Malformed "If-Match is not a list of entity tags",
    IfMatchRequired "if-match-required" PreconditionRequired "If-Match is demanded and missing",
    IfMatchWeak "if-match-weak" Forbidden "If-Match names a weak entity tag, which never matches",
    NameCaseVariant "name-case-variant" Forbidden "a name differs from a known one only in case",
    NumberImprecise "number-imprecise" Malformed "a number does not survive being read",
    OpForbidden "op-forbidden" Forbidden "the op is not among the allowed ones",
    OpMemberMissing "op-member-missing" Malformed "an op lacks a member that it needs",
    OpMemberUnknown "op-member-unknown" Forbidden "an op has a member that it should not have",
    OpUnknown "op-unknown" Forbidden "the op is not one of the six of RFC 6902",
    PatchEmpty "patch-empty" Forbidden "the patch changes nothing",
    PatchInapplicable "patch-inapplicable" Conflict "the patch does not apply to the current document",
    PatchNotArray "patch-not-array" Malformed "a JSON Patch is an array of ops",
    PointerForbidden "pointer-forbidden" Forbidden "the patch reaches a place that is not allowed",
    PointerMalformed "pointer-malformed" Malformed "a pointer is not one of RFC 6901",
    PointerUndescribed "pointer-undescribed" Forbidden "the schema does not describe this place",
    ResultInvalid "result-invalid" Conflict "the document that would result does not fit the schema",
    StateForbidden "state-forbidden" Forbidden "the resulting state is not one of the state graph",
    StateFrozen "state-frozen" Conflict "this state admits no such change",
    TooManyOps "too-many-ops" TooLarge "the patch holds too many ops",
    TransitionForbidden "transition-forbidden" Conflict "the state graph has no such transition",
    ValueInvalid "value-invalid" Forbidden "a value does not fit the schema of its place",
}

impl Code {
    /// The code whose slug is `slug`.
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.slug() == slug)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_unique_sorted_and_lead_back_to_their_code() {
        let slugs: Vec<_> = Code::ALL.iter().map(|code| code.slug()).collect();
        assert!(slugs.is_sorted());
        for code in Code::ALL {
            assert_eq!(Code::from_slug(code.slug()), Some(*code));
        }
    }

    #[test]
    fn every_page_names_its_code_and_has_the_four_parts() {
        for code in Code::ALL {
            let page = code.page();
            assert!(page.starts_with(&format!("# {code}\n")), "{code}: first line");
            for heading in ["## What it is", "## Why it is refused", "## Example", "## What to do"]
            {
                assert!(page.contains(heading), "{code}: `{heading}` is missing");
            }
        }
    }
}
