//! The connection to the store, kept up by a thread of its own: what a worker is busy with must not
//! look like a store that is slow.

use super::{Server, Settings, script, sentinel};

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, RedisConnectionInfo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, mpsc as threads};
use std::time::Duration;

/// How long it may take to connect.
const CONNECT_TIME: Duration = Duration::from_secs(2);
/// How long to wait for the first attempt.
const FIRST_TIME: Duration = Duration::from_secs(1);
/// The pause before the next attempt, which doubles from the one to the other.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long a connection has to hold until the pause is short again.
const STEADY: Duration = Duration::from_secs(10);

/// A connection over which decisions are made.
pub(super) struct Up {
    pub(super) connection: MultiplexedConnection,
    /// The name of the script there.
    pub(super) script: String,
}

/// The connection to the store, as long as there is one. Dropped, its thread ends.
pub(super) struct Link {
    up: Arc<ArcSwapOption<Up>>,
    /// Why it is of no use.
    lost: UnboundedSender<String>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("is_up", &self.up().is_some()).finish()
    }
}

impl Link {
    /// Begins to connect, and waits a moment for what comes of it.
    pub(super) fn open(settings: Arc<Settings>) -> io::Result<Self> {
        let (lost, heard) = mpsc::unbounded_channel();
        let (first, tried) = threads::channel();
        let up = Arc::new(ArcSwapOption::empty());
        let keeper = Keeper { settings, up: Arc::clone(&up), heard, first: Some(first) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("store".into())
            .spawn(move || runtime.block_on(keeper.keep()))?;
        let _ = tried.recv_timeout(FIRST_TIME);
        Ok(Self { up, lost })
    }

    pub(super) fn up(&self) -> Option<Arc<Up>> {
        self.up.load_full()
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load().is_some()
    }

    /// From now on `up` is used by nobody. Of all who find that out, one tells why.
    pub(super) fn lose(&self, up: &Arc<Up>, why: String) {
        let before = self.up.compare_and_swap(up, None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, up)) {
            // The thread ends only after this.
            let _ = self.lost.send(why);
        }
    }
}

/// Who keeps the connection up.
struct Keeper {
    settings: Arc<Settings>,
    up: Arc<ArcSwapOption<Up>>,
    heard: UnboundedReceiver<String>,
    /// Is dropped when the first attempt has come to something.
    first: Option<threads::Sender<()>>,
}

type Driver = Pin<Box<dyn Future<Output = ()>>>;

impl Keeper {
    async fn keep(mut self) {
        let mut pause = PAUSE_MIN;
        let mut is_told = false;
        loop {
            let connected = timeout(CONNECT_TIME, self.connect()).await;
            let late = || Err("it took too long to connect".to_owned());
            let why = match connected.unwrap_or_else(|_| late()) {
                Err(why) => why,
                Ok((up, mut driver)) => {
                    if is_told {
                        tracing::info!("the store of the limits is back");
                        is_told = false;
                    }
                    // What was said of the one before.
                    while self.heard.try_recv().is_ok() {}
                    let since = Instant::now();
                    self.up.store(Some(Arc::new(up)));
                    self.first = None;
                    let why = tokio::select! {
                        () = &mut driver => "the connection ended".to_owned(),
                        why = self.heard.recv() => match why {
                            Some(why) => why,
                            None => return,
                        },
                    };
                    self.up.store(None);
                    if since.elapsed() >= STEADY {
                        pause = PAUSE_MIN;
                    }
                    why
                }
            };
            self.first = None;
            if !is_told {
                tracing::warn!(%why, "the store of the limits is away");
                is_told = true;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.closed() => return,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn closed(&mut self) {
        while self.heard.recv().await.is_some() {}
    }

    async fn connect(&self) -> Result<(Up, Driver), String> {
        let server = &self.settings.server;
        let at = match server.sentinels.is_empty() {
            true => server.at.clone(),
            false => sentinel::master(server).await?,
        };
        let tcp = TcpStream::connect((&*at.host, at.port)).await;
        let tcp = tcp.map_err(|error| format!("it cannot be reached: {error}"))?;
        let _ = tcp.set_nodelay(true);
        match &server.tls {
            None => self.greet(tcp).await,
            Some(config) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let tls = connector.connect(at.name()?, tcp).await;
                self.greet(tls.map_err(|error| format!("no trusted TLS: {error}"))?).await
            }
        }
    }

    /// Says who we are, leaves the script there, and makes sure that it can be written to in time.
    async fn greet<S>(&self, stream: S) -> Result<(Up, Driver), String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let refused = |error: redis::RedisError| format!("it refused: {error}");
        let settings = &self.settings;
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let credentials = credentials(&settings.server);
        let greeting = MultiplexedConnection::new_with_config(&credentials, stream, config);
        let (connection, driver) = greeting.await.map_err(refused)?;
        let mut driver: Driver = Box::pin(driver);
        let probe = async {
            let mut greeted = connection.clone();
            let script = redis::cmd("SCRIPT").arg("LOAD").arg(script::TEXT).to_owned();
            let script: String = script.query_async(&mut greeted).await.map_err(refused)?;
            let mut write = Pipeline::new();
            write.cmd("SET").arg(settings.key("probe")).arg("").arg("PX").arg(1000).ignore();
            let written = write.query_async::<()>(&mut greeted);
            let written = timeout(settings.timeout, written).await;
            written.map_err(|_| "it is too slow".to_owned())?.map_err(refused)?;
            Ok::<_, String>(script)
        };
        let script = tokio::select! {
            script = probe => script?,
            () = &mut driver => return Err("the connection ended".to_owned()),
        };
        Ok((Up { connection, script }, driver))
    }
}

fn credentials(server: &Server) -> RedisConnectionInfo {
    let mut credentials =
        RedisConnectionInfo::default().set_db(server.database).set_skip_set_lib_name();
    if !server.username.is_empty() {
        credentials = credentials.set_username(&server.username);
    }
    if !server.password.is_empty() {
        credentials = credentials.set_password(&*server.password);
    }
    credentials
}
