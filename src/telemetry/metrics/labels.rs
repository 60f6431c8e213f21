//! What numbers are told apart by.

use prometheus_client::encoding::EncodeLabelSet;

use std::sync::Arc;

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $label:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
            pub struct $name { $($(#[$about])* pub $label: $type),* }
        )*
    };
}

labels! {
    /// A request that has ended.
    Served {
        /// The id of its route; empty, if none was found.
        route: Arc<str>,
        /// Its method.
        method: &'static str,
        /// The class of the status, as `2xx`; `none` where the caller left before there was one.
        status: &'static str,
        /// How it was decided, as in the access log.
        decision: &'static str,
    }

    /// How long a request took.
    Answered {
        /// Its method.
        http_request_method: &'static str,
        /// The template of its route; empty, if none was found.
        http_route: Arc<str>,
        /// The status; empty where the caller left before there was one.
        http_response_status_code: Option<u16>,
    }

    /// How long the upstream took.
    Asked {
        /// The method of what was sent.
        http_request_method: &'static str,
        /// The status of the answer; empty, if none came.
        http_response_status_code: Option<u16>,
        /// Why no answer came; empty, if one did.
        error_type: &'static str,
    }

    /// A request that the gateway ended.
    Rejected {
        /// Why, as in the access log.
        rejection: &'static str,
    }

    /// What a rule found.
    Found {
        /// The kind of rule; `reading` where the body was not what it has to be.
        rule: &'static str,
        /// The code of the violation.
        code: &'static str,
        /// What came of it: `enforce`, `warn` or `observe`.
        mode: &'static str,
    }

    /// A step from one state to another that was asked for.
    Stepped {
        /// The kind of document.
        resource: Arc<str>,
        /// The state before.
        from: Arc<str>,
        /// The state after.
        to: Arc<str>,
        /// How the request was decided, as in the access log.
        decision: &'static str,
    }

    /// A request that was judged by the current state.
    Read {
        /// Where the state came from, as in the access log.
        source: &'static str,
    }

    /// A change that was asked for.
    Outcome {
        /// What became of it, as in the access log.
        outcome: &'static str,
    }

    /// A request that limits were asked about.
    Limited {
        /// The tier of the partner.
        tier: Arc<str>,
        /// What it counts as.
        class: &'static str,
        /// What they said.
        decision: &'static str,
    }

    /// A request that the shadow was asked about.
    Shadowed {
        /// What it says, beside the policy in force.
        result: &'static str,
    }

    /// A TLS handshake.
    Shaken {
        /// How it ended.
        result: &'static str,
    }

    /// A load of the configuration.
    Reloaded {
        /// What came of it.
        result: &'static str,
    }

    /// The configuration in force.
    Policy {
        /// The name of its policy.
        policy: String,
        /// The digest of its files.
        digest: String,
    }

    /// A certificate that the gateway shows.
    Certificate {
        /// To whom.
        shown_to: &'static str,
    }

    /// A token that was asked for.
    Credential {
        /// Its name in the configuration.
        credential: String,
        /// What came of it.
        result: &'static str,
    }

    /// The program.
    Build {
        /// Its version.
        version: &'static str,
    }
}

impl Read {
    /// All of them.
    pub const ALL: [Self; 3] =
        [Self { source: "fetched" }, Self { source: "remembered" }, Self { source: "shared" }];
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] =
        [Self { outcome: "applied" }, Self { outcome: "not-applied" }, Self { outcome: "unknown" }];
}

impl Shadowed {
    /// The same.
    pub const AGREES: Self = Self { result: "agrees" };
    /// It would permit what was refused.
    pub const PERMITS: Self = Self { result: "permits" };
    /// It would refuse what was permitted.
    pub const REFUSES: Self = Self { result: "refuses" };
    /// It was not asked: it is behind.
    pub const SKIPPED: Self = Self { result: "skipped" };
    /// It would read the current state, which was not read.
    pub const UNKNOWN: Self = Self { result: "unknown" };
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::AGREES, Self::PERMITS, Self::REFUSES, Self::SKIPPED, Self::UNKNOWN];
}

impl Shaken {
    /// It ended well.
    pub const DONE: Self = Self { result: "done" };
    /// The two did not agree.
    pub const FAILED: Self = Self { result: "failed" };
    /// It took too long.
    pub const LATE: Self = Self { result: "late" };
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DONE, Self::FAILED, Self::LATE];
}

impl Reloaded {
    /// It took effect.
    pub const TAKEN: Self = Self { result: "taken" };
    /// It had faults.
    pub const REFUSED: Self = Self { result: "refused" };
    /// All of them.
    pub const ALL: [Self; 2] = [Self::TAKEN, Self::REFUSED];
}
