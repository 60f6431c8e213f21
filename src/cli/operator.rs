//! Asks the admin listener of a gateway that runs.

use crate::admin::Status;
use crate::outbound::{Connector, Tcp, Way, visit};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use tokio::time::timeout;
use zeroize::Zeroizing;

use std::path::PathBuf;
use std::time::Duration;

/// The longest that an answer may take; a reload compiles everything anew.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const ANSWER_MAX: usize = 16 << 20;

/// Where the gateway listens to its operator.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Operator {
    /// The admin listener of the gateway: a host and a port
    #[arg(long, value_name = "ADDRESS", env = "PATCHGATE_ADMIN", default_value = "127.0.0.1:9090")]
    admin: String,
    /// A file with the token of `admin.token`, where the gateway asks for one before anything is changed
    #[arg(long, value_name = "FILE", env = "PATCHGATE_ADMIN_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

impl Operator {
    /// What it is answered; the text says why, if nothing is.
    pub(super) fn ask(&self, method: Method, path: &str) -> Result<(StatusCode, String), String> {
        let failed = |why: String| {
            format!("no gateway answers at `{}`: {why}; --admin names another", self.admin)
        };
        let url: Uri = format!("http://{}", self.admin)
            .parse()
            .map_err(|_| format!("`{}` is no address; write a host and a port", self.admin))?;
        let way = Way {
            url,
            tls: None,
            server_name: None,
            egress: None,
            connect_time: CONNECT_TIME,
            handshake_time: CONNECT_TIME,
        };
        let connector = Connector::new(way, Box::new(Tcp)).map_err(str::to_owned)?;
        let request =
            Request::builder().method(method).uri(path).header(header::HOST, &*self.admin);
        let request = match self.authorization()? {
            Some(shown) => request.header(header::AUTHORIZATION, shown),
            None => request,
        };
        let request = request.body(Full::new(Bytes::new())).map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let answer = runtime
            .block_on(async { timeout(PATIENCE, visit(&connector, request, ANSWER_MAX)).await });
        let answer = answer.map_err(|_| failed("it took too long".to_owned()))?;
        let answer = answer.map_err(|why| failed(why.to_string()))?;
        Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, String> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let failed = |why: &str| format!("{}: {why}", path.display());
        let token = std::fs::read_to_string(path).map(Zeroizing::new);
        let token = token.map_err(|error| failed(&error.to_string()))?;
        let shown = Zeroizing::new(format!("Bearer {}", token.trim()));
        let mut shown = HeaderValue::from_str(&shown)
            .map_err(|_| failed("it has to hold the token, in one line, and nothing else"))?;
        shown.set_sensitive(true);
        Ok(Some(shown))
    }

    /// How the gateway stands.
    pub(super) fn status(&self) -> Result<Status, String> {
        let (status, body) = self.ask(Method::GET, "/status")?;
        if status != StatusCode::OK {
            return Err(format!("`{}` answers {status}: {}", self.admin, body.trim()));
        }
        serde_json::from_str(&body).map_err(|_| format!("`{}` is no gateway", self.admin))
    }
}
