//! `patchgate explain`: a patch judged rule by rule, by the judge that the proxy asks; or the page
//! of a code.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

mod origin;
mod report;

use super::caller::{self, Nobody, Shown};
use super::print::{Format, print};
use crate::config::policy::PolicyFile;
use crate::config::{File, Loaded, Source, load_policy_file, source};
use crate::policy::{
    Caller, Closed, Current, Facts, IfMatch, NormalPath, Policy, Resolution, Route, Verdict,
};
use crate::snapshot::Snapshot;
use crate::violation::{Code, Violation, closest};

use origin::Origin;
use report::Report;

use bytes::Bytes;
use serde_json::Value;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Judge a patch rule by rule, or print the page of a violation code
///
/// The judge is the proxy's own. Of each rule it tells the line of the policy file that it comes
/// from, and of each value that does not fit the keyword of the schema. Exits with 0 when the patch is permitted, 1 when it is refused,
/// 2 when that cannot be said (the current state is needed, or a file cannot be read).
#[derive(clap::Args, Debug)]
pub struct Command {
    /// The policy file; the shipped referrals policy if it is left out
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The gateway file: its policy judges, and it tells who calls and the limits that hold
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["policy", "partner", "roles"])]
    config: Option<PathBuf>,
    #[command(flatten)]
    shown: Shown,
    /// The document that is stored now, as JSON
    #[arg(long, value_name = "FILE")]
    current: Option<PathBuf>,
    /// The value of `If-Match`, quotes included
    #[arg(long, value_name = "TAG")]
    if_match: Option<String>,
    /// The id of the partner that is calling, for steps that are not everybody's
    #[arg(long, value_name = "ID", default_value = "")]
    partner: String,
    /// A role that it has; may be given more than once
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The method of the request
    #[arg(long, default_value = "PATCH")]
    method: String,
    /// How the judgement is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The path of the request; the first route with this method if it is left out
    #[arg(long)]
    path: Option<String>,
    /// The file with the body (`-` for standard input), or a code as `transition-forbidden`
    #[arg(value_name = "PATCH|CODE")]
    body: PathBuf,
}

impl Command {
    /// Judges, and prints what each rule says.
    pub fn run(self) -> ExitCode {
        if let Some(code) = self.body.to_str().and_then(Code::from_slug) {
            print(code.page());
            return ExitCode::SUCCESS;
        }
        match self.explain() {
            Ok(code) => code,
            Err(message) => {
                eprintln!("patchgate: {message}");
                ExitCode::from(2)
            }
        }
    }

    fn explain(&self) -> Result<ExitCode, String> {
        let (policy, file, who) = self.load()?;
        let body = Bytes::from(self.read_body()?);
        let current = self.current.as_ref().map(|path| {
            std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
        });
        let current = current.transpose()?;
        let route = self.route(&policy)?;
        let if_match = IfMatch::parse(self.if_match.as_ref().map(|tag| tag.as_bytes()));
        let current = current.as_ref().map(|bytes| {
            Current::read(route, None, bytes)
                .map_err(|error| format!("the current document: {error}"))
        });
        let caller = match &who {
            Some(who) => Caller { partner: &who.partner.id, roles: &who.partner.roles },
            None => Caller { partner: &self.partner, roles: &self.roles },
        };
        let is_known = who.as_ref().map_or(!self.partner.is_empty(), |who| who.is_known);
        if let Err(closed) = route.audience.admit(caller, is_known) {
            let answer = match closed {
                Closed::ToPartner => "403 not-admitted",
                Closed::ToUnknown => "401 unidentified",
            };
            let id = &route.id;
            eprintln!("patchgate: the route `{id}` is not open to this caller: {answer}");
            return Ok(ExitCode::FAILURE);
        }
        let current = current.transpose()?;
        let asked = Asked {
            policy: &policy,
            file: &file,
            route,
            caller,
            if_match: &if_match,
            method: &self.method,
            body: &body,
            current: current.as_ref(),
            who: who.as_ref(),
        };
        Ok(asked.judge(|report| {
            match self.format {
                Format::Json => print(format_args!("{}\n", report.json())),
                Format::Text => print(report.text()),
            }
            ExitCode::from(match &report.judgement.verdict {
                Verdict::Permit(_) => 0,
                Verdict::Refuse(_) => 1,
                Verdict::NeedsCurrent(_) => 2,
            })
        }))
    }

    /// The policy, its file, and who calls if a gateway file tells.
    fn load(&self) -> Result<(Policy, File<PolicyFile>, Option<caller::Caller>), String> {
        let loaded = match (&self.config, &self.policy) {
            (Some(path), _) => {
                let Loaded { snapshot, policy: file, .. } = caller::loaded(path)?;
                let Snapshot { policy, partners, limits, .. } = snapshot;
                let who =
                    caller::Caller::find(&policy, &partners, limits, &self.method, &self.shown);
                let who = who.map_err(|nobody| match nobody {
                    Nobody::Refused(why) => {
                        format!("the gateway would refuse this request: {why}")
                    }
                    Nobody::Unsaid(why) => why,
                });
                return Ok((policy, file, Some(who?)));
            }
            (None, Some(path)) => load_policy_file(Source::Disk, path),
            (None, None) => load_policy_file(Source::Shipped, Path::new(source::REFERRALS_POLICY)),
        };
        let (policy, file) = loaded.map_err(|errors| errors.to_string())?;
        Ok((policy, file, None))
    }

    fn read_body(&self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = if self.body == Path::new("-") {
            std::io::stdin().read_to_end(&mut bytes)
        } else {
            std::fs::File::open(&self.body).and_then(|mut file| file.read_to_end(&mut bytes))
        };
        read.map_err(|error| {
            let name = self.body.display().to_string();
            match closest(&name, Code::ALL.iter().map(|code| code.slug()), 1).first() {
                Some(code) => format!("{name}: {error}; did you mean the code `{code}`?"),
                None => format!("{name}: {error}"),
            }
        })?;
        Ok(bytes)
    }

    fn route<'p>(&self, policy: &'p Policy) -> Result<&'p Route, String> {
        let Some(path) = &self.path else {
            let takes = |route: &&Route| route.methods.contains(&self.method);
            let mut routes = policy.routes.iter().map(AsRef::as_ref);
            return routes.find(takes).ok_or_else(|| format!("no route takes {}", self.method));
        };
        let normal = NormalPath::of(path).ok_or_else(|| format!("`{path}` has no normal form"))?;
        match policy.routes.resolve(&self.method, &normal) {
            Resolution::Found(route) => Ok(route),
            Resolution::MethodNotAllowed(allowed) => {
                Err(format!("`{path}` takes {}, not {}", allowed.join(", "), self.method))
            }
            Resolution::Unknown => Err(format!("no route leads to `{path}`")),
        }
    }
}

/// What the judge is asked.
pub(super) struct Asked<'a> {
    pub(super) policy: &'a Policy,
    /// The file that it comes from.
    pub(super) file: &'a File<PolicyFile>,
    pub(super) route: &'a Route,
    pub(super) caller: Caller<'a>,
    pub(super) if_match: &'a IfMatch,
    pub(super) method: &'a str,
    pub(super) body: &'a Bytes,
    pub(super) current: Option<&'a Current<'a>>,
    /// Who calls, where a gateway file tells.
    pub(super) who: Option<&'a caller::Caller>,
}

impl Asked<'_> {
    /// What it says, as JSON; `docs/testing-policies.md` describes it.
    pub(super) fn json(&self) -> Value {
        self.judge(|report| report.json())
    }

    /// Asks it, and has `tell` tell what it says.
    fn judge<T>(&self, tell: impl FnOnce(&Report<'_>) -> T) -> T {
        let Self { policy, file, route, caller, if_match, method, body, current, who } = *self;
        let facts = Facts::read(route, caller, if_match, body);
        let judgement = policy.judge(&facts, current);
        let origin = Origin::of(file, route, judgement.step);
        tell(&Report {
            method,
            route,
            policy,
            facts: &facts,
            judgement: &judgement,
            origin: &origin,
            caller: who,
        })
    }
}

/// A violation in words, with what would have been accepted.
pub(super) fn told(violation: &Violation) -> String {
    let mut text = format!("  {violation}");
    if !violation.accepted.is_empty() {
        text.push_str("\n    accepted: ");
        text.push_str(&violation.accepted.join("  "));
    }
    text
}
