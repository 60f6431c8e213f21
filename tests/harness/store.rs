//! A real store: the `redis-server` of Debian.

use super::proxies::free_port;
use super::{Authority, PATIENCE};

use patchgate::limits::{Address, Server, Settings};
use patchgate::tls::{self, Client};

use zeroize::Zeroizing;

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::num::NonZeroU32;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A store that keeps nothing on disk; dropped, it is killed.
pub struct Redis {
    child: Child,
    pub port: u16,
    arguments: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Redis {
    pub fn start() -> Self {
        Self::with(false, |_| Vec::new())
    }

    /// One that holds what `master` holds.
    pub fn replica_of(master: &Self) -> Self {
        let arguments = ["--replicaof", "127.0.0.1", &master.port.to_string()].map(str::to_owned);
        let replica = Self::with(false, |_| arguments.into());
        let began = Instant::now();
        while !replica.say::<String>(&["INFO", "replication"]).contains("master_link_status:up") {
            assert!(began.elapsed() < PATIENCE * 3, "it does not follow");
            std::thread::sleep(Duration::from_millis(20));
        }
        replica
    }

    /// A sentinel that watches over `master`, and knows it by `name`.
    pub fn sentinel(master: &Self, name: &str) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {name} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 3000\n",
            folder.path().display(),
            master.port
        );
        let path = folder.path().join("sentinel.conf");
        fs::write(&path, text).unwrap();
        let arguments = vec![path.display().to_string(), "--sentinel".to_owned()];
        let sentinel = Self { child: spawn(&arguments), port, arguments, _folder: folder };
        sentinel.wait();
        sentinel
    }

    /// How a gateway uses the store that this sentinel knows by `name`.
    pub fn named(&self, name: &str) -> Settings {
        let mut settings = self.settings();
        let at = |host: &str, port| Address { host: host.to_owned(), port };
        settings.server.at = at(name, 0);
        // Nobody is at the first one.
        settings.server.sentinels = vec![at("127.0.0.1", free_port()), at("127.0.0.1", self.port)];
        settings
    }

    /// One that speaks TLS alone, proves to be `localhost`, and knows the user `gate` by `password`.
    pub fn guarded(authority: &Authority, password: &str) -> Self {
        Self::with(true, |folder| {
            let (certificate, key) = authority.pair("localhost");
            fs::write(folder.join("cert.pem"), certificate).unwrap();
            fs::write(folder.join("key.pem"), key).unwrap();
            let rights = "~{patchgate}:* +evalsha +eval +script|load +time +set +hget +hvals +hset";
            let users = format!(
                "user default off\nuser gate on >{password} {rights} +pttl +pexpire +select\n"
            );
            fs::write(folder.join("users.acl"), users).unwrap();
            let at = folder.display();
            [
                format!("--tls-cert-file {at}/cert.pem --tls-key-file {at}/key.pem"),
                format!("--tls-auth-clients no --aclfile {at}/users.acl"),
            ]
            .join(" ")
            .split(' ')
            .map(str::to_owned)
            .collect()
        })
    }

    fn with(is_tls: bool, extra: impl FnOnce(&std::path::Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let at = folder.path().display();
        let mut arguments: Vec<String> = format!("--bind 127.0.0.1 --appendonly no --dir {at}")
            .split(' ')
            .map(str::to_owned)
            .collect();
        arguments.extend(["--save".into(), String::new()]);
        let extra = extra(folder.path());
        let (plain, tls) = if is_tls { (0, port) } else { (port, 0) };
        arguments.extend(["--port".into(), plain.to_string()]);
        if tls > 0 {
            arguments.extend(["--tls-port".into(), tls.to_string()]);
        }
        arguments.extend(extra);
        let child = spawn(&arguments);
        let redis = Self { child, port, arguments, _folder: folder };
        redis.wait();
        redis
    }

    fn wait(&self) {
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(began.elapsed() < PATIENCE * 3, "the store does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it as nothing else does: SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after that, with nothing in it.
    pub fn revive(&mut self) {
        self.child = spawn(&self.arguments);
        self.wait();
    }

    /// Sends it a signal: `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("bash").args(["-c", &kill]).status().unwrap().success());
    }

    /// What it says to a command, which may be said twice: one that has just become the master drops
    /// those who are connected, and is asked again.
    pub fn say<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let (name, arguments) = command.split_first().unwrap();
        let said = || redis::cmd(name).arg(arguments).query(&mut client.get_connection()?);
        let dropped = |error: &redis::RedisError| error.is_connection_dropped();
        said().or_else(|error| if dropped(&error) { said() } else { Err(error) }).unwrap()
    }

    /// How a gateway uses it, if there are two.
    pub fn settings(&self) -> Settings {
        Settings {
            server: Server {
                at: Address { host: "127.0.0.1".into(), port: self.port },
                sentinels: Vec::new(),
                tls: None,
                username: String::new(),
                password: Zeroizing::new(String::new()),
                database: 0,
            },
            prefix: "patchgate".into(),
            // Of a machine that is busy with other tests.
            timeout: Duration::from_millis(500),
            replicas: NonZeroU32::new(2).unwrap(),
        }
    }

    /// The same over TLS, as the user `gate`.
    pub fn guarded_settings(&self, authority: &Authority, password: &str) -> Settings {
        let client = Client { authorities: Some(authority.path()), ..Client::default() };
        let mut config = rustls::ClientConfig::clone(&tls::client(client).unwrap().config);
        config.alpn_protocols.clear();
        let mut settings = self.settings();
        settings.server.at.host = "localhost".into();
        settings.server.tls = Some(Arc::new(config));
        settings.server.username = "gate".into();
        settings.server.password = Zeroizing::new(password.to_owned());
        settings
    }
}

fn spawn(arguments: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| {
        panic!("install redis-server, as `tests/run` does: {command:?}: {error}")
    })
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
