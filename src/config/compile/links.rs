//! Links in answers: the places that a route names, and the address that they are led to.

use super::Reading;
use super::policy::Policies;
use crate::config::File;
use crate::config::gateway::GatewayFile;
use crate::policy::links::PATTERNS_MAX;
use crate::policy::pattern::Pattern;
use crate::policy::{NormalPath, Policy};

use http::Uri;

impl Reading {
    /// The places of the route at `at`.
    pub(super) fn links(&mut self, file: &Policies, at: &str, texts: &[String]) -> Vec<Pattern> {
        if texts.len() > PATTERNS_MAX {
            let message = format!("`links` has at most {PATTERNS_MAX} patterns");
            self.errors.push(file.error(&format!("{at}/links"), message));
        }
        let pattern = |(index, text): (usize, &String)| {
            self.pattern(file, &format!("{at}/links/{index}"), text)
        };
        texts.iter().enumerate().filter_map(pattern).collect()
    }

    /// Where callers reach the gateway, without a slash at the end. `policy` may need it.
    pub(super) fn public_url(
        &mut self,
        file: &File<GatewayFile>,
        policy: Option<&Policy>,
    ) -> Option<Option<String>> {
        let text = file.value.public_url.as_str();
        if text.is_empty() {
            let mut routes = policy.into_iter().flat_map(|policy| policy.routes.iter());
            if let Some(route) = routes.find(|route| !route.links.is_empty()) {
                let message = format!(
                    "`public_url` is needed: the route `{}` of the policy leads links to it",
                    route.id
                );
                self.errors.push(file.error("/policy", message));
            }
            return Some(None);
        }
        let plain = |uri: &Uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
                && uri.query().is_none()
                && (uri.path() == "/" || NormalPath::of(uri.path()).is_some())
        };
        let uri = text.parse::<Uri>().ok().filter(plain).ok_or_else(|| {
            let message = "`public_url` is no `http://` or `https://` URL without user, password, query, escapes and `.` or `..` segments";
            file.error("/public_url", message)
        });
        self.keep(uri).map(|_| Some(text.trim_end_matches('/').to_owned()))
    }
}
