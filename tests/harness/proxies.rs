//! The proxies that a company may have: real ones from Debian, and one that says what it is told.

use super::{Authority, PATIENCE};

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Instant;

/// Whom the real ones let in, with the password `secret`.
pub const USER: &str = "gateway";
/// The hash of the password, as `openssl passwd -apr1` writes it.
const HASH: &str = "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/";

/// A server of Debian's; dropped, it is killed.
pub struct Daemon {
    child: Child,
    /// Where it speaks HTTP.
    pub port: u16,
    /// Where it speaks it over TLS.
    pub tls_port: u16,
    folder: tempfile::TempDir,
}

impl Daemon {
    /// A squid that lets `USER` through to `port` alone, and proves to be `localhost`.
    pub fn squid(authority: &Authority, to: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display().to_string();
        let (certificate, key) = authority.pair("localhost");
        for (name, text) in
            [("users", format!("{USER}:{HASH}\n")), ("cert.pem", certificate), ("key.pem", key)]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        // It gives up its rights before it reads them.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (port, tls_port) = (free_port(), free_port());
        let text = format!(
            "http_port 127.0.0.1:{port}\n\
             https_port 127.0.0.1:{tls_port} tls-cert={at}/cert.pem tls-key={at}/key.pem\n\
             auth_param basic program /usr/lib/squid/basic_ncsa_auth {at}/users\n\
             acl known proxy_auth REQUIRED\nacl api port {to}\n\
             http_access deny !known\nhttp_access allow api\nhttp_access deny all\n\
             cache deny all\naccess_log none\ncache_log /dev/null\npid_filename none\n\
             coredump_dir {at}\nshutdown_lifetime 0 seconds\n"
        );
        fs::write(folder.path().join("squid.conf"), text).unwrap();
        let config = format!("{at}/squid.conf");
        Self::start(
            Command::new("/usr/sbin/squid").args(["-N", "-f", &config]),
            port,
            tls_port,
            folder,
        )
    }

    /// A tinyproxy that lets `USER` through.
    pub fn tinyproxy() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let text = format!("Port {port}\nListen 127.0.0.1\nBasicAuth {USER} secret\n");
        let path = folder.path().join("tinyproxy.conf");
        fs::write(&path, text).unwrap();
        let config = path.display().to_string();
        Self::start(Command::new("tinyproxy").args(["-d", "-c", &config]), port, port, folder)
    }

    /// A Prometheus that asks `target` every second.
    pub fn prometheus(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let text = format!(
            "scrape_configs:\n- job_name: p\n  scrape_interval: 1s\n  \
             static_configs: [{{ targets: [\"{target}\"] }}]\n"
        );
        let path = folder.path().join("prometheus.yml");
        fs::write(&path, text).unwrap();
        let (path, data) = (path.display(), folder.path().join("data"));
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={path}"));
        command.arg(format!("--storage.tsdb.path={}", data.display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        Self::start(&mut command, port, port, folder)
    }

    fn start(command: &mut Command, port: u16, tls_port: u16, folder: tempfile::TempDir) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("install it, as `tests/run` does: {command:?}: {error}")
        });
        let daemon = Self { child, port, tls_port, folder };
        let began = Instant::now();
        for port in [port, tls_port] {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                assert!(began.elapsed() < PATIENCE * 3, "{:?} does not listen", daemon.folder);
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A proxy that answers once, with `answer`, and closes after what it then hears.
pub fn scripted(answer: impl Into<Vec<u8>>) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = answer.into();
    let thread = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match tcp.read(&mut byte) {
                Ok(1) => heard.push(byte[0]),
                _ => return heard,
            }
        }
        let _ = tcp.write_all(&answer);
        if answer.is_empty() || answer.ends_with(b"...") {
            // It says no more, and waits.
            let _ = tcp.read_to_end(&mut heard);
        }
        heard
    });
    (port, thread)
}
