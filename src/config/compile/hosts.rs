//! The hosts that callers may ask for.

use super::Reading;
use crate::config::File;
use crate::config::gateway::GatewayFile;
use crate::snapshot::{Hosts, Misfit};

impl Reading {
    /// The hosts that callers may ask for, if they may not ask for any.
    pub(super) fn hosts(&mut self, file: &File<GatewayFile>) -> Option<Hosts> {
        let written = file.value.hosts.as_ref()?;
        if written.is_empty() {
            let message = "`hosts` is empty, and so every request would be refused; name the hosts that callers ask for, or leave it out";
            self.errors.push(file.error("/hosts", message));
        }
        let mut hosts = Hosts::default();
        for (index, text) in written.iter().enumerate() {
            let added = hosts.add(text).map_err(|misfit| {
                let message = match misfit {
                    Misfit::NoHost => {
                        "this is no host; write it as `api.example`, `api.example:8443` or `[::1]`, without a scheme or a path"
                    }
                    Misfit::Twice => "this host is there twice; take it out once",
                };
                file.error(&format!("/hosts/{index}"), message)
            });
            self.keep(added);
        }
        Some(hosts)
    }
}
