//! What the page shows that commands show as well: pictures of the graphs, and judgements.

use super::explain::Asked;
use super::graph::drawing::{Drawing, Wanted};
use super::graph::links::{Link, links};
use super::graph::svg;
use crate::admin::{Picture, Question};
use crate::policy::graph::Graph;
use crate::policy::{Caller, Current, IfMatch, Policy, Resource};
use crate::reload::Reload;

use bytes::Bytes;
use serde_json::Value;

/// The style of the pictures.
pub(super) const STYLE: &str = svg::STYLE;

/// The graphs of `policy`.
pub(super) fn pictures(policy: &Policy) -> Vec<Picture> {
    let owned = |(from, to): (&str, &str)| (from.to_owned(), to.to_owned());
    let draw = |(resource, graph): (&Resource, &Graph)| {
        let wanted = Wanted { stays: true, refused: true };
        let drawing = Drawing::of(graph, resource.name.to_string(), wanted);
        let links = links(&drawing);
        let steps = |link: &Link| link.steps(&drawing).into_iter().map(owned).collect();
        Picture {
            resource: resource.name.to_string(),
            svg: svg::part(&drawing, &links),
            lines: links.iter().map(steps).collect(),
        }
    };
    policy.graphs().into_iter().map(draw).collect()
}

/// What the judge in force says, rule by rule.
pub(super) fn explain(reload: &Reload, question: &Question) -> Result<Value, String> {
    let (snapshot, file) = reload.in_force().ok_or("a reload is under way; ask again")?;
    let mut routes = snapshot.policy.routes.iter();
    let route = routes.find(|route| *route.id == *question.route).ok_or_else(|| {
        let known = snapshot.policy.routes.iter().map(|route| &*route.id);
        let known = known.collect::<Vec<_>>().join("`, `");
        format!("there is no route `{}`; there are: `{known}`", question.route)
    })?;
    let partner = match question.partner.as_str() {
        "" => None,
        id => {
            let known = snapshot.partners.all();
            let found = known.iter().find(|partner| partner.id == id).cloned();
            let none = || format!("there is no partner `{id}`; `/status` names those there are");
            Some(found.ok_or_else(none)?)
        }
    };
    let caller = Caller {
        partner: partner.as_ref().map_or("", |partner| &partner.id),
        roles: partner.as_ref().map_or(&[][..], |partner| &partner.roles),
    };
    let is_known = partner.as_ref().is_some_and(|known| snapshot.partners.is_known(known));
    if route.audience.admit(caller, is_known).is_err() {
        return Err(format!(
            "the route `{}` is not open to this partner; choose another",
            route.id
        ));
    }
    let if_match = IfMatch::parse(question.if_match.as_ref().map(|tag| tag.as_bytes()));
    let current = question.current.as_ref().map(|text| {
        Current::read(route, None, text.as_bytes())
            .map_err(|error| format!("the current document: {error}"))
    });
    let current = current.transpose()?;
    let asked = Asked {
        policy: &snapshot.policy,
        file: &file,
        route,
        caller,
        if_match: &if_match,
        method: route.methods.first().map_or("PATCH", String::as_str),
        body: &Bytes::copy_from_slice(question.body.as_bytes()),
        current: current.as_ref(),
        who: None,
    };
    Ok(asked.json())
}
