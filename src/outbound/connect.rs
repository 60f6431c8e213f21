//! Opens connections to one place: TCP, and TLS where the scheme says so.

use super::egress::Egress;
use super::race::{STAGGER, race};
use super::{Distrust, Obstacle, Unreached};
use crate::socket::Socket;
use crate::tls::{self, Credentials};

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long what was sent may go unacknowledged before the connection is given up.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Opens the transport that HTTP, or TLS, is spoken over.
pub trait Dial {
    /// Opens one to `port` of `host`.
    fn dial(&self, host: &str, port: u16) -> Dialing;
}

/// A transport that is being opened, on this thread.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Transport>>>>;

/// What HTTP, or TLS, is spoken over.
pub type Transport = Box<dyn Duplex>;

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + fmt::Debug + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Unpin> Duplex for T {}

/// The network of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Tcp;

impl Dial for Tcp {
    fn dial(&self, host: &str, port: u16) -> Dialing {
        let host = host.to_owned();
        Box::pin(async move {
            // Asked anew for each connection, so that a change of address is seen.
            let addresses = lookup_host((&*host, port)).await;
            let addresses = addresses.map_err(|error| io::Error::other(Unresolved(error)))?;
            let tcp = race(addresses, STAGGER, TcpStream::connect).await?;
            let _ = tcp.set_nodelay(true);
            // A peer that vanished must not hold a connection that waits to be closed.
            let _ = socket2::SockRef::from(&tcp).set_tcp_user_timeout(Some(UNACKNOWLEDGED));
            Ok(Box::new(Socket::from(tcp)) as Transport)
        })
    }
}

/// Where a place is, and how it is reached.
#[derive(Clone, Debug)]
pub struct Way {
    /// Scheme and authority.
    pub url: Uri,
    /// Whom to trust and what to show; needed where the scheme is `https`.
    pub tls: Option<Credentials<ClientConfig>>,
    /// The name that it has to prove, if not that of `url`.
    pub server_name: Option<String>,
    /// The company's proxy that every connection goes through.
    pub egress: Option<Egress>,
    /// The longest time to open a connection, before TLS.
    pub connect_time: Duration,
    /// The longest time to agree upon TLS.
    pub handshake_time: Duration,
}

/// Opens connections to one place.
pub struct Connector {
    dial: Box<dyn Dial>,
    host: String,
    port: u16,
    tls: Option<(Credentials<ClientConfig>, ServerName<'static>)>,
    egress: Option<Egress>,
    time: Duration,
    handshake_time: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({}:{})", self.host, self.port)
    }
}

impl Connector {
    /// Connections by `way`, over the network behind `dial`.
    ///
    /// # Errors
    ///
    /// When the way leads nowhere.
    pub fn new(way: Way, dial: Box<dyn Dial>) -> Result<Self, &'static str> {
        let Way { url, tls, server_name, egress, connect_time: time, handshake_time } = way;
        let host = url.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, port) = match url.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => {
                let credentials = tls.ok_or("an `https` URL needs TLS settings")?;
                let name = ServerName::try_from(server_name.unwrap_or_else(|| host.clone()));
                let name = name.map_err(|_| "the host of the URL is no name for TLS")?;
                (Some((credentials, name)), 443)
            }
            _ => return Err("the URL is neither `http` nor `https`"),
        };
        let port = url.port_u16().unwrap_or(port);
        Ok(Self { dial, host, port, tls, egress, time, handshake_time })
    }

    /// A new connection.
    ///
    /// # Errors
    ///
    /// When there is none, or none that is to be trusted.
    pub async fn connect(&self) -> Result<Wire, Unreached> {
        let transport = timeout(self.time, self.reach()).await;
        let transport = transport.map_err(|_| Unreached::TooSlow)??;
        let Some((credentials, name)) = &self.tls else { return Ok(Wire::Plain { transport }) };
        let connector = TlsConnector::from(credentials.load());
        let shaken = timeout(self.handshake_time, connector.connect(name.clone(), transport)).await;
        let tls = shaken.map_err(|_| Unreached::TooSlow)?.map_err(|error| {
            tracing::warn!(%error, host = %self.host, "no TLS connection");
            Unreached::Untrusted(distrust(&error))
        })?;
        Ok(Wire::Tls { tls: Box::new(tls) })
    }

    /// Whether HTTP/2 is offered on connections that are made now.
    pub fn offers_two(&self) -> bool {
        let credentials = self.tls.as_ref().map(|(credentials, _)| credentials.load());
        credentials.is_some_and(|config| config.alpn_protocols.iter().any(|one| one == tls::TWO))
    }

    /// Through the company's proxy where there is one, and then never around it.
    async fn reach(&self) -> Result<Transport, Unreached> {
        if let Some(egress) = &self.egress {
            return egress.open(&*self.dial, &self.host, self.port).await;
        }
        self.dial.dial(&self.host, self.port).await.map_err(|error| {
            tracing::warn!(%error, host = %self.host, "no connection");
            Unreached::Unreachable(obstacle(&error))
        })
    }
}

/// A name has no address.
#[derive(Debug)]
struct Unresolved(io::Error);

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unresolved {}

fn obstacle(error: &io::Error) -> Obstacle {
    let is_unresolved = error.get_ref().is_some_and(|inner| inner.is::<Unresolved>());
    #[allow(clippy::wildcard_enum_match_arm, reason = "there are more kinds by the year")]
    match error.kind() {
        _ if is_unresolved => Obstacle::Unresolved,
        io::ErrorKind::NotFound => Obstacle::Unresolved,
        io::ErrorKind::ConnectionRefused => Obstacle::Refused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Obstacle::Unroutable,
        _ => Obstacle::Other,
    }
}

fn distrust(error: &io::Error) -> Distrust {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    #[allow(clippy::wildcard_enum_match_arm, reason = "the list of the library is open")]
    match inner {
        Some(rustls::Error::AlertReceived(_)) => Distrust::Alert,
        // The pins say so in words.
        Some(
            rustls::Error::InvalidCertificate(_)
            | rustls::Error::NoCertificatesPresented
            | rustls::Error::General(_),
        ) => Distrust::Certificate,
        _ => Distrust::Protocol,
    }
}

/// A connection, encrypted or not.
#[derive(Debug)]
pub enum Wire {
    /// One that everybody on the way can read.
    Plain {
        /// What the bytes go over.
        transport: Transport,
    },
    /// One that nobody can.
    Tls {
        /// What the bytes go over.
        tls: Box<TlsStream<Transport>>,
    },
}

impl Wire {
    /// Whether nobody on the way can read it.
    pub fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tls { .. })
    }

    /// Whether HTTP/2 was agreed upon.
    pub fn speaks_two(&self) -> bool {
        match self {
            Self::Plain { .. } => false,
            Self::Tls { tls } => tls.get_ref().1.alpn_protocol() == Some(tls::TWO),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain { transport } => Pin::new(transport).poll_read(cx, buffer),
            Self::Tls { tls } => Pin::new(&mut **tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain { transport } => Pin::new(transport).poll_write(cx, bytes),
            Self::Tls { tls } => Pin::new(&mut **tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain { transport } => Pin::new(transport).poll_write_vectored(cx, slices),
            Self::Tls { tls } => Pin::new(&mut **tls).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain { transport } => transport.is_write_vectored(),
            // hyper had better put head and body into one record.
            Self::Tls { .. } => false,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain { transport } => Pin::new(transport).poll_flush(cx),
            Self::Tls { tls } => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain { transport } => Pin::new(transport).poll_shutdown(cx),
            Self::Tls { tls } => Pin::new(&mut **tls).poll_shutdown(cx),
        }
    }
}
