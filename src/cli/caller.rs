//! Who calls, as the header fields of a request tell it, and the limits that hold for it: for
//! `whoami`, and within `explain`.

use crate::config::{Files, Loaded, Source, load};
use crate::limits::{Account, Class, Limits, Quota};
use crate::partner::{Certificate, Partner, Partners};
use crate::policy::{Policy, Route};
use crate::proxy::fields::Fields;
use crate::proxy::identity;
use crate::proxy::problem::kind;

use http::{HeaderName, HeaderValue, Method};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Who calls, and what it may send.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) partner: Arc<Partner>,
    /// Whether it is known by name.
    pub(super) is_known: bool,
    class: Class,
    limits: Limits,
    /// The routes that are not open to it.
    closed: Vec<String>,
}

/// Why nobody calls.
#[derive(Debug)]
pub(super) enum Nobody {
    /// The gateway would refuse the request.
    Refused(String),
    /// It cannot be said.
    Unsaid(String),
}

/// Everything that the gateway file at `path` says.
pub(super) fn loaded(path: &Path) -> Result<Loaded, String> {
    load(Source::Disk, path, None, &mut Files::default()).map_err(|errors| errors.to_string())
}

/// What a request shows of who calls.
#[derive(clap::Args, Debug)]
pub(super) struct Shown {
    /// A header field of the request, as `Name: value`; may be given more than once
    #[arg(long = "header", short = 'H', value_name = "FIELD", requires = "config")]
    headers: Vec<String>,
    /// The address of the peer that sends it; without it no header is believed that some peers alone may
    /// send
    #[arg(long, value_name = "ADDRESS", requires = "config")]
    peer: Option<IpAddr>,
    /// The certificate that the caller shows (PEM); whether it is good is not asked
    #[arg(long, value_name = "FILE", requires = "config")]
    certificate: Option<PathBuf>,
}

impl Caller {
    /// Whoever shows this with a request of `method`.
    pub(super) fn find(
        policy: &Policy,
        partners: &Partners,
        limits: Limits,
        method: &str,
        shown: &Shown,
    ) -> Result<Self, Nobody> {
        let fields = shown.headers.iter().map(|field| parse(field)).collect::<Result<Fields, _>>();
        let fields = fields.map_err(Nobody::Unsaid)?;
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Nobody::Unsaid(format!("`{method}` is no method")))?;
        let certificate = shown.certificate.as_ref().map(|path| {
            let der = CertificateDer::from_pem_file(path);
            der.map(|der| Certificate::read(&der))
                .map_err(|error| Nobody::Unsaid(format!("{}: {error}", path.display())))
        });
        let certificate = certificate.transpose()?;
        let found = identity::find(partners, &fields, shown.peer, certificate.as_ref());
        let found = found.map_err(|rejection| {
            let kind = kind(&rejection);
            Nobody::Refused(format!("{} {}", kind.status.as_u16(), kind.slug))
        });
        let partner = Arc::clone(found?);
        let is_closed = |route: &&Arc<Route>| identity::admit(partners, &partner, route).is_err();
        let closed = policy.routes.iter().filter(is_closed).map(|route| route.id.to_string());
        let (closed, is_known) = (closed.collect(), partners.is_known(&partner));
        Ok(Self { partner, is_known, class: Class::of(&method), limits, closed })
    }

    /// As text, each line after `indent`.
    pub(super) fn text(&self, indent: &str) -> String {
        let mut text = String::new();
        let partner = &self.partner;
        let roles = match partner.roles.as_slice() {
            [] => "none".to_owned(),
            roles => roles.join(", "),
        };
        let terms = &self.limits.terms;
        let cost = format!(
            "a {}, for {} and {} for each op",
            self.word(),
            terms.request_cost,
            terms.op_cost
        );
        let credential = self.credential().unwrap_or("its own").to_owned();
        for (name, said) in [
            ("partner", &*partner.id),
            ("tier", &*partner.tier),
            ("roles", &roles),
            ("credential", &credential),
            ("counts", &cost),
        ] {
            let _ = writeln!(text, "{indent}{name:<11} {said}");
        }
        if !self.closed.is_empty() {
            let _ = writeln!(text, "{indent}{:<11} {}", "closed", self.closed.join(", "));
        }
        let (own, total) = (&*partner.account, self.limits.total());
        for (list, quota) in self.quotas(own) {
            let _ = writeln!(text, "{indent}{list:<11} {}", written(quota));
        }
        if let Some(most) = own.quotas().concurrent {
            let _ = writeln!(text, "{indent}{:<11} {most}", "concurrent");
        }
        for (list, quota) in self.quotas(total) {
            let _ = writeln!(text, "{indent}{:<11} {list} {}", "of all", written(quota));
        }
        text
    }

    /// As JSON; `docs/testing-policies.md` describes it.
    pub(super) fn json(&self) -> Value {
        let (own, total) = (&*self.partner.account, self.limits.total());
        let of = |account, whose: &'static str| {
            self.quotas(account).map(move |(list, quota)| {
                json!({
                    "of": whose,
                    "list": list,
                    "most": quota.most,
                    "ms": u64::try_from(quota.per.as_millis()).unwrap_or(u64::MAX),
                    "burst": quota.burst,
                })
            })
        };
        let terms = &self.limits.terms;
        json!({
            "partner": self.partner.id,
            "tier": *self.partner.tier,
            "roles": self.partner.roles,
            "credential": self.credential(),
            "closed": self.closed,
            "class": self.word(),
            "cost": { "request": terms.request_cost, "op": terms.op_cost },
            "limits": of(own, "partner").chain(of(total, "all")).collect::<Vec<_>>(),
            "concurrent": own.quotas().concurrent,
        })
    }

    /// What the upstream is shown for it, by name, if not what it shows itself.
    fn credential(&self) -> Option<&str> {
        self.partner.credential.as_ref().map(|credential| credential.name())
    }

    fn word(&self) -> &'static str {
        match self.class {
            Class::Read | Class::Prefetch => "read",
            Class::Write => "write",
        }
    }

    /// The quotas that such a request is held to, and those for the state that it may need.
    fn quotas<'a>(&self, account: &'a Account) -> impl Iterator<Item = (&'static str, &'a Quota)> {
        let quotas = account.quotas();
        let (reads, writes): (&[Quota], &[Quota]) = match self.class {
            Class::Read | Class::Prefetch => (&quotas.reads, &[]),
            Class::Write => (&[], &quotas.writes),
        };
        let lists = [
            ("requests", &*quotas.requests),
            ("reads", reads),
            ("writes", writes),
            ("prefetches", &*quotas.prefetches),
        ];
        lists.into_iter().flat_map(|(list, quotas)| quotas.iter().map(move |quota| (list, quota)))
    }
}

/// A field as `Name: value`. What it holds is not repeated: it may be a secret.
fn parse(field: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = "a header is written as `Name: value`";
    let (name, value) = field.split_once(':').ok_or(wrong)?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong)?;
    Ok((name, HeaderValue::from_str(value.trim()).map_err(|_| wrong)?))
}

/// A rate as the gateway file has it.
fn written(quota: &Quota) -> String {
    let burst = match quota.burst == quota.most {
        true => String::new(),
        false => format!(" burst {}", quota.burst),
    };
    format!("{}/{}{burst}", quota.most, time(quota.per))
}

fn time(time: Duration) -> String {
    match (time.subsec_millis(), time.as_secs()) {
        (0, seconds) if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        (0, seconds) if seconds % 60 == 0 => format!("{}m", seconds / 60),
        (0, seconds) => format!("{seconds}s"),
        _ => format!("{}ms", time.as_millis()),
    }
}
