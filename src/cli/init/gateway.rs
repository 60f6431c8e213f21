//! The gateway file, as text.

use super::outline::Outline;
use super::policy::note;
use super::yaml::quoted;
use crate::policy::NormalPath;

use http::Uri;

use std::fmt::Write as _;

/// Where the API is, if nobody says so.
const SOMEWHERE: &str = "http://127.0.0.1:8000";

/// The gateway file for `outline`, whose first lines are `head`.
pub(super) fn gateway(outline: &Outline, head: &str) -> String {
    let mut text = head.to_owned();
    let Outline { title, name, url, .. } = outline;
    note(
        &mut text,
        0,
        &format!(
            "The gateway before {title}. A key that is left out has its default: `patchgate check --print-config` shows them all. A value may come from elsewhere: `${{NAME}}` is an environment variable, `${{file:PATH}}` what is in a file."
        ),
    );
    text.push_str("apiVersion: patchgate/v1\nkind: Gateway\n\n");
    note(
        &mut text,
        0,
        "Callers connect here. `0.0.0.0:8080` is every address of this machine; put a certificate under `tls` then.",
    );
    text.push_str("listen: 127.0.0.1:8080\n\n");
    let _ = write!(text, "policy: policies/{name}.yaml\n\nupstream:\n");
    if url.is_none() {
        note(&mut text, 2, "Where the API is. This is only a beginning: write its own address.");
    }
    let _ = writeln!(text, "  url: {}\n", quoted(url.as_deref().unwrap_or(SOMEWHERE)));
    note(&mut text, 0, "Probes, scrapers and operators connect here. Never open it to callers.");
    text.push_str("admin:\n  listen: 127.0.0.1:9090\n\n");
    note(
        &mut text,
        0,
        "Nobody is known by name yet: all callers share one set of limits, and what they show goes on to the API as it is. `patchgate key` makes a key and its digest for a partner:",
    );
    text.push_str("# identity:\n#   - api_key: X-Api-Key\n# partners:\n#   - id: acme\n#     api_keys: [\"sha256:…\"]\n");
    text.push_str("unknown_partners: share\n\n");
    text.push_str("limits:\n  tiers:\n    standard: { requests: [100/1s] }\n\n");
    note(
        &mut text,
        0,
        "A record of each change, each sealed with those before it; `patchgate audit verify` reads it.",
    );
    text.push_str("# audit:\n#   file: audit.log\n\n");
    note(
        &mut text,
        0,
        "One JSON line for each request: `stdout`, `stderr`, `off`, or the path of a file.",
    );
    text.push_str("log:\n  access: stdout\n");
    text
}

/// Whether `text` is the address of an upstream.
pub(super) fn is_url(text: &str) -> bool {
    let plain = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.query().is_none()
            && !text.contains('#')
            && (uri.path() == "/" || NormalPath::of(uri.path()).is_some())
    };
    text.parse::<Uri>().is_ok_and(|uri| plain(&uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_address_without_anything_secret_or_fleeting() {
        for (text, is) in [
            ("https://api.example/v1", true),
            ("http://127.0.0.1:8000", true),
            ("/v1", false),
            ("https://{region}.api.example", false),
            ("https://user:secret@api.example", false),
            ("https://api.example/?a=b", false),
            ("https://api.example/a/../b", false),
            ("ftp://api.example", false),
        ] {
            assert_eq!(is_url(text), is, "{text}");
        }
    }
}
