//! What of a gateway file only a start takes, so that a reload can tell what it does not change.

use crate::config::gateway::{GatewayFile, Upstream};

use aws_lc_rs::digest::{SHA256, digest};

/// The keys that only a start takes, each with a digest of what stands there.
#[derive(Clone, Debug)]
pub struct Fixed(Vec<(&'static str, Vec<u8>)>);

impl Fixed {
    pub(super) fn of(file: &GatewayFile) -> Self {
        let upstream = Upstream {
            // These a reload takes.
            ca_file: String::new(),
            certificate: String::new(),
            credentials: String::new(),
            http2: false,
            key: String::new(),
            pins: Vec::new(),
            ..file.upstream.clone()
        };
        let digest = |text: &str| digest(&SHA256, text.as_bytes()).as_ref().to_vec();
        // These are not shown by the sections that they stand in.
        let password = upstream.proxy.password.reveal();
        let key = file.audit.key.reveal();
        let headers = file.trace.export.headers.iter();
        let exported: Vec<_> = headers.map(|(_, secret)| digest(secret.reveal())).collect();
        let written: [(&str, &dyn std::fmt::Debug); 15] = [
            ("admin", &(&file.admin, digest(file.admin.token.reveal()))),
            ("audit", &(&file.audit, digest(key))),
            ("bounds", &file.bounds),
            ("forwarded", &file.forwarded),
            ("h2c", &file.h2c),
            ("listen", &file.listen),
            ("log", &file.log),
            ("public_url", &file.public_url),
            ("reload", &file.reload),
            ("request_id", &file.request_id),
            ("timeouts", &file.timeouts),
            ("trace", &(&file.trace, exported)),
            ("upstream", &(&upstream, digest(password))),
            ("via", &file.via),
            ("workers", &file.workers),
        ];
        Self(written.into_iter().map(|(key, value)| (key, digest(&format!("{value:?}")))).collect())
    }

    /// The keys under which `other` says something else.
    pub fn differs(&self, other: &Self) -> Vec<&'static str> {
        let pairs = self.0.iter().zip(&other.0);
        pairs.filter(|(ours, theirs)| ours != theirs).map(|((key, _), _)| *key).collect()
    }
}
