//! Asks sentinels which server is the one that is written to.

use super::{Address, Server};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use std::sync::Arc;
use std::time::Duration;

/// How long one of them may take.
const TIME: Duration = Duration::from_millis(500);

/// Where the server is that the first sentinel names which knows.
pub(super) async fn master(server: &Server) -> Result<Address, String> {
    let mut why = "no sentinel is named".to_owned();
    for sentinel in &server.sentinels {
        let asked = timeout(TIME, ask(server, sentinel)).await;
        match asked.unwrap_or_else(|_| Err("it took too long".to_owned())) {
            Ok(master) => return Ok(master),
            Err(error) => why = format!("the sentinel `{}`: {error}", sentinel.host),
        }
    }
    Err(why)
}

async fn ask(server: &Server, sentinel: &Address) -> Result<Address, String> {
    let tcp = TcpStream::connect((&*sentinel.host, sentinel.port)).await;
    let tcp = tcp.map_err(|error| format!("it cannot be reached: {error}"))?;
    match &server.tls {
        None => query(tcp, &server.at.host).await,
        Some(config) => {
            let connector = TlsConnector::from(Arc::clone(config));
            let tls = connector.connect(sentinel.name()?, tcp).await;
            query(tls.map_err(|error| format!("no trusted TLS: {error}"))?, &server.at.host).await
        }
    }
}

async fn query<S>(stream: S, name: &str) -> Result<Address, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let refused = |error: redis::RedisError| format!("it refused: {error}");
    let nobody = RedisConnectionInfo::default().set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let greeting = MultiplexedConnection::new_with_config(&nobody, stream, config);
    let (mut connection, driver) = greeting.await.map_err(refused)?;
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(name);
    let answer = command.query_async::<Option<(String, u16)>>(&mut connection);
    let answer = tokio::select! {
        answer = answer => answer.map_err(refused)?,
        () = driver => return Err("the connection ended".to_owned()),
    };
    let (host, port) = answer.ok_or_else(|| format!("it knows no `{name}`"))?;
    Ok(Address { host, port })
}
