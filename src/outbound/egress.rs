//! The way through a company's proxy: a tunnel by CONNECT, and never a way around it.
//!
//! The proxy sees where the tunnel leads and, where the upstream speaks TLS, nothing else.

use super::Unreached;
use super::connect::{Dial, Transport};

use http::header::HeaderValue;
use memchr::memmem;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use std::io;
use std::sync::Arc;

/// The most bytes of the proxy's answer.
const HEAD_MAX: usize = 16 << 10;

/// The company's proxy that every connection goes through.
#[derive(Clone, Debug)]
pub struct Egress {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whom to trust, where TLS is spoken with it.
    pub tls: Option<Arc<ClientConfig>>,
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<HeaderValue>,
}

impl Egress {
    /// A tunnel to `port` of `host`. `dial` leads to the proxy, and to nobody else.
    pub(super) async fn open(
        &self,
        dial: &dyn Dial,
        host: &str,
        port: u16,
    ) -> Result<Transport, Unreached> {
        let fault = |error: io::Error, why| {
            tracing::warn!(%error, proxy = %self.host, "the company's proxy opened no tunnel");
            Unreached::Proxy(why)
        };
        let transport = dial.dial(&self.host, self.port).await;
        let mut transport = transport.map_err(|error| fault(error, UNREACHABLE))?;
        if let Some(tls) = &self.tls {
            let name = ServerName::try_from(self.host.clone());
            let name = name.map_err(|error| fault(io::Error::other(error), UNTRUSTED))?;
            let tls = TlsConnector::from(Arc::clone(tls)).connect(name, transport).await;
            transport = Box::new(tls.map_err(|error| fault(error, UNTRUSTED))?);
        }
        let asked = ask(&mut transport, &self.request(host, port)).await;
        let status = asked.map_err(|error| fault(error, ODD))?;
        let why = match status {
            200..300 => return Ok(transport),
            407 => UNWELCOME,
            500..600 => LOST,
            _ => FORBIDDEN,
        };
        tracing::warn!(status, proxy = %self.host, "the company's proxy opened no tunnel");
        Err(Unreached::Proxy(why))
    }

    fn request(&self, host: &str, port: u16) -> Vec<u8> {
        let target =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request
    }
}

const UNREACHABLE: &str = "the company's proxy could not be reached; nothing was sent";
const UNTRUSTED: &str =
    "no trusted TLS connection to the company's proxy could be made; nothing was sent";
const UNWELCOME: &str =
    "the company's proxy wants a user and a password, or others; nothing was sent";
const FORBIDDEN: &str = "the company's proxy does not let the gateway through; nothing was sent";
const LOST: &str = "the company's proxy could not reach the API; nothing was sent";
const ODD: &str = "the company's proxy gave no proper answer; nothing was sent";

/// Asks for the tunnel; the status of the answer.
async fn ask(transport: &mut Transport, request: &[u8]) -> io::Result<u16> {
    let odd = |why: &'static str| io::Error::new(io::ErrorKind::InvalidData, why);
    transport.write_all(request).await?;
    transport.flush().await?;
    let mut head = Vec::with_capacity(512);
    let end = loop {
        if transport.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match memmem::find(&head, b"\r\n\r\n") {
            Some(end) => break end + 4,
            None if head.len() > HEAD_MAX => return Err(odd("a head without end")),
            None => {}
        }
    };
    let status = status(&head).ok_or_else(|| odd("no status"))?;
    // Nobody speaks first in a tunnel to HTTP or TLS: what follows came from the proxy itself.
    if (200..300).contains(&status) && end < head.len() {
        return Err(odd("more than a head"));
    }
    Ok(status)
}

/// The status in a head.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.0 ").or_else(|| head.strip_prefix(b"HTTP/1.1 "))?;
    let (digits, rest) = rest.split_at_checked(3)?;
    let ends = matches!(rest.first(), Some(b' ' | b'\r'));
    let is_status = ends && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_status)?.parse().ok()
}
