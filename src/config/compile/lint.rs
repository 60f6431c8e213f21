//! What is odd in a policy without being wrong: lines that decide nothing, and graphs that look as
//! if something was forgotten. Each is a warning with its place.

mod paths;
mod states;

use super::Reading;
use super::partners::UNKNOWN;
use crate::config::File;
use crate::config::gateway::GatewayFile;
use crate::config::policy::{self as file, PolicyFile};
use crate::policy::Rule;
use crate::policy::rule::Name;
use crate::policy::schema::Schema;

use std::collections::BTreeSet;

type Policies = File<PolicyFile>;

/// The partners of the gateway that a policy is loaded for, and their roles.
pub(super) struct Callers {
    partners: BTreeSet<String>,
    roles: BTreeSet<String>,
}

impl Callers {
    pub(super) fn of(file: &GatewayFile) -> Self {
        let ids = file.partners.iter().map(|partner| partner.id.clone());
        Self {
            partners: ids.chain([UNKNOWN.to_owned()]).collect(),
            roles: file.partners.iter().flat_map(|partner| partner.roles.clone()).collect(),
        }
    }
}

impl Reading {
    fn warn(&mut self, file: &Policies, at: &str, message: impl Into<String>) {
        self.warnings.push(file.error(at, message));
    }

    /// Steps that are for partners or roles that this gateway does not know.
    pub(super) fn lint_takers(&mut self, file: &Policies, at: &str, states: &file::States) {
        for (index, line) in states.transitions.iter().enumerate() {
            let at = format!("{at}/transitions/{index}");
            self.lint_named(file, &at, &line.partners, &line.roles);
        }
    }

    /// Partners and roles that are named at `at`, and that this gateway does not know.
    pub(super) fn lint_named(
        &mut self,
        file: &Policies,
        at: &str,
        partners: &[String],
        roles: &[String],
    ) {
        let Some(callers) = self.callers.take() else { return };
        for (key, named, known, what) in [
            ("partners", partners, &callers.partners, "is called"),
            ("roles", roles, &callers.roles, "has the role"),
        ] {
            for (position, name) in
                named.iter().enumerate().filter(|(_, name)| !known.contains(*name))
            {
                let message = format!("no partner of the gateway file {what} `{name}`");
                self.warn(file, &format!("{at}/{key}/{position}"), message);
            }
        }
        self.callers = Some(callers);
    }

    /// Resources that no route changes.
    pub(super) fn lint_resources(&mut self, file: &Policies) {
        for name in file.value.resources.keys() {
            if !file.value.routes.iter().any(|route| route.resource == *name) {
                let message = format!("no route changes the resource `{name}`");
                self.warn(file, &format!("/resources/{name}"), message);
            }
        }
    }

    /// Formats that the schema names, and that demand nothing.
    pub(super) fn lint_formats(&mut self, file: &Policies, at: &str, schema: &Schema) {
        for (place, format) in schema.unknown_formats() {
            let message =
                format!("the format `{format}` at `{place}` is not known, and demands nothing");
            self.warn(file, &format!("{at}/schema"), message);
        }
    }

    /// Modes of rules that the route does not have, what is to be found out about changes that it
    /// never pins, and codings of a body that it does not take. `rules` are all that it has, whatever
    /// their mode.
    pub(super) fn lint_modes(
        &mut self,
        file: &Policies,
        at: &str,
        route: &file::Route,
        rules: &[Rule],
    ) {
        for name in Name::ALL {
            let mode = super::policy::rule_mode(&route.rules, name);
            if mode != file::RuleMode::Enforce && !rules.iter().any(|rule| rule.name() == name) {
                let message =
                    format!("this route has no rule `{}`, so that its mode is moot", name.as_str());
                self.warn(file, &format!("{at}/rules/{}", name.as_str()), message);
            }
        }
        let makes = route.methods.iter().all(|method| method == "POST");
        let reads = route.state == file::State::Fetch && route.mode == file::Mode::Enforce;
        let pins = reads && !makes && route.body != file::Body::None;
        if route.lost_answer == file::LostAnswer::Resolve && !pins {
            let message = "nothing is pinned here, so that no lost answer can be resolved";
            self.warn(file, &format!("{at}/lost_answer"), message);
        }
        if route.gzip == file::Choice::Permit && route.body == file::Body::None {
            let message = "this route takes no body that could be in a coding";
            self.warn(file, &format!("{at}/gzip"), message);
        }
    }
}
