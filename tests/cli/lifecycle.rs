//! From the start to the end of the process, as service managers, load balancers and the system see
//! it.

use super::process::{Answer, BOUND, Gateway, PROGRAM, ask, gateway_file};
use crate::harness::{Act, Caller, Upstream, answer, eventually};

use rustix::io::{FdFlags, fcntl_setfd};

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

const TARGET: &str = "/v1.0/engagements/referrals/10000000-0000-4000-8000-000000000003";
const NOTE: &str = r#"[{"op":"replace","path":"/details/notes","value":"n"}]"#;

fn patch() -> String {
    format!(
        "PATCH {TARGET} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{NOTE}",
        NOTE.len()
    )
}

/// A gateway before `upstream`, with `timeouts`.
fn before(upstream: &Upstream, timeouts: &str, folder: &tempfile::TempDir) -> Gateway {
    let keys = format!(
        "upstream: {{ url: \"http://{}\" }}\ntimeouts: {{ {timeouts} }}\n\
         limits: {{ tiers: {{ standard: {{}} }} }}",
        upstream.address
    );
    Gateway::run(&gateway_file(folder, &keys))
}

fn status(gateway: &Gateway) -> u16 {
    ask(gateway.address, &format!("GET {TARGET}"), &[], "").status
}

/// Row 178 of the threats, under load: whatever was sent is answered, and sent on once.
#[test]
fn a_stop_under_load_leaves_nothing_unanswered_and_sends_nothing_twice() {
    for timeouts in ["drain_delay: 0s", "drain_delay: 300ms"] {
        let folder = tempfile::tempdir().expect("a folder");
        let upstream = Upstream::start([]);
        let gateway = before(&upstream, timeouts, &folder);
        let (answered, last) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // Each keeps its connection until it is told that it was the last answer, and comes back
        // for as long as somebody listens.
        let load = || {
            while let Ok(mut caller) = Caller::try_to(gateway.address) {
                loop {
                    let reply = caller.send(patch()).try_reply().expect("an answer");
                    assert_eq!((reply.status, reply.whole), (200, true));
                    assert_eq!(reply.header("server"), None, "nobody tells what serves");
                    answered.fetch_add(1, Ordering::Relaxed);
                    if reply.header("connection") == Some("close") {
                        last.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            eventually("all are at work", || answered.load(Ordering::Relaxed) > 200);
            assert_eq!(last.load(Ordering::Relaxed), 0);
            gateway.process.signal("TERM");
            callers.into_iter().for_each(|caller| caller.join().expect("a caller"));
        });
        gateway.process.err.event("stopped");
        assert_eq!(gateway.process.end(), 0);
        let answered = answered.into_inner();
        assert_eq!(upstream.requests().len(), answered, "{timeouts}");
        assert!(last.into_inner() >= 8, "everybody was told");
        println!("{timeouts}: {answered} answered");
    }
}

#[test]
fn until_the_delay_is_over_it_is_not_ready_and_serves_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start([]);
    let gateway = before(&upstream, "drain_delay: 1h", &folder);
    let mut kept = Caller::to(gateway.address);
    assert_eq!(kept.ask(patch()).header("connection"), None);
    gateway.process.signal("TERM");
    let ready = || {
        let Answer { status, .. } = ask(gateway.admin, "GET /readyz", &[], "");
        status
    };
    eventually("it says that it is not ready", || ready() == 503);
    assert_eq!(status(&gateway), 200, "a new connection");
    assert_eq!(kept.ask(patch()).header("connection"), Some("close"));
    assert!(kept.is_closed());
    // Whoever asks twice does not wait.
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 130);
}

#[test]
fn over_http_2_what_is_under_way_is_answered_and_nothing_more_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let (held, act) = Act::held();
    let upstream = Upstream::start([act]);
    let keys = format!("h2c: true\nupstream: {{ url: \"http://{}\" }}", upstream.address);
    let gateway = Gateway::run(&gateway_file(&folder, &keys));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answered = runtime.expect("a runtime").block_on(async {
        let tcp = tokio::net::TcpStream::connect(gateway.address).await?;
        let (client, connection) = h2::client::handshake(tcp).await?;
        let connection = tokio::spawn(connection);
        let request =
            || http::Request::get(format!("http://a{TARGET}")).body(()).expect("a request");
        let mut client = client.ready().await?;
        let (under_way, _) = client.send_request(request(), true)?;
        while upstream.requests().is_empty() {
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        gateway.process.signal("TERM");
        // GOAWAY: no further stream can be opened.
        let refused = loop {
            match client.clone().ready().await {
                Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
                Err(error) => break error,
            }
        };
        held.send(answer("200 OK", "", "{}")).expect("an upstream");
        let status = under_way.await?.status();
        // The other side ends it, in good order.
        connection.await??;
        Ok::<_, Box<dyn std::error::Error>>((status.as_u16(), refused.reason()))
    });
    let (status, reason) = answered.expect("an answer");
    assert_eq!((status, reason), (200, Some(h2::Reason::NO_ERROR)));
    assert_eq!(gateway.process.end(), 0);
}

/// Row 179.
#[test]
fn without_file_descriptors_nobody_is_let_in_and_afterwards_everybody_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start([]);
    let keys =
        format!("upstream: {{ url: \"http://{}\" }}\nreload: {{ watch: false }}", upstream.address);
    let config = gateway_file(&folder, &keys);
    let run = format!("ulimit -n 40; exec {PROGRAM} run --config {config}");
    let gateway = Gateway::start(Command::new("bash").args(["-c", &run]));
    assert_eq!(status(&gateway), 200);
    let crowd: Vec<TcpStream> = (0..60)
        .map(|_| TcpStream::connect(gateway.address).expect("a place in the backlog"))
        .collect();
    let event = gateway.process.err.event("no connection can be accepted");
    assert!(event["error"].as_str().expect("text").contains("Too many open files"), "{event}");
    let spent = processor_time(gateway.process.id());
    std::thread::sleep(std::time::Duration::from_millis(600));
    let spent = processor_time(gateway.process.id()) - spent;
    assert!(spent <= 20, "it does not spin: {spent} hundredths in 60");
    drop(crowd);
    gateway.process.err.find(|line| {
        // Said once for each time, and not at each attempt.
        assert!(!line.contains("no connection can be accepted"), "{line}");
        line.contains("connections are accepted again").then_some(())
    });
    assert_eq!(status(&gateway), 200);
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);
}

/// The hundredths of a second that a process has spent.
fn processor_time(id: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).expect("a process");
    let fields: Vec<&str> = text.rsplit(')').next().expect("fields").split_whitespace().collect();
    [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number")).sum()
}

/// Row 172.
#[test]
fn nobody_gets_an_image_of_the_memory_and_all_files_that_are_allowed_can_be_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = gateway_file(&folder, "upstream: { url: sandbox }");
    let run = format!("ulimit -Sn 100; ulimit -Hn 500; exec {PROGRAM} run --config {config}");
    let gateway = Gateway::start(Command::new("bash").args(["-c", &run]));
    let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.process.id()));
    let limits = limits.expect("a process");
    let of = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("a limit");
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of("Max core file size"), ["0", "0"]);
    assert_eq!(of("Max open files"), ["500", "500"]);
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.process.id()));
    let huge = status.expect("a process");
    let huge = huge.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
    assert_eq!(huge.map(str::trim), Some("0"), "no huge pages");
}

/// What the next message to a service manager says.
fn told(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 1000];
    let length = socket.recv(&mut bytes).expect("a message");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[test]
fn the_service_manager_is_told_of_every_step_and_that_all_is_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = gateway_file(&folder, "upstream: { url: sandbox }");
    let path = folder.path().join("notify");
    let name = format!("patchgate-{}", std::process::id());
    let hidden = UnixAddr::from_abstract_name(&name).expect("a name");
    for (socket, address) in [
        (UnixDatagram::bind(&path), path.display().to_string()),
        (UnixDatagram::bind_addr(&hidden), format!("@{name}")),
    ] {
        let socket = socket.expect("a socket");
        socket.set_read_timeout(Some(BOUND)).expect("a bound");
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--config", &config]).env("NOTIFY_SOCKET", address);
        let gateway = Gateway::start(command.env("WATCHDOG_USEC", "200000"));
        assert_eq!(told(&socket), "READY=1\n");
        for _ in 0..3 {
            assert_eq!(told(&socket), "WATCHDOG=1\n");
        }
        gateway.process.signal("HUP");
        let next = || std::iter::repeat_with(|| told(&socket)).find(|said| said != "WATCHDOG=1\n");
        let reloading = next().expect("a message");
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("since when");
        assert!(since.trim_end().parse::<u64>().expect("a number") > 0);
        assert_eq!(next().as_deref(), Some("READY=1\n"));
        gateway.process.signal("TERM");
        assert_eq!(next().as_deref(), Some("STOPPING=1\n"));
        assert_eq!(gateway.process.end(), 0);
    }
}

/// Starts the gateway as a service manager does that listens for it: the sockets are the files 3
/// and on.
fn activated(config: &str, sockets: &[&TcpListener], names: &str, id: &str) -> Command {
    let mut script = String::new();
    for (index, socket) in sockets.iter().enumerate() {
        fcntl_setfd(socket, FdFlags::empty()).expect("a flag");
        // Out of the way first: a number may be taken by another of them.
        script.push_str(&format!("exec {}<&{}; ", 100 + index, socket.as_raw_fd()));
    }
    for index in 0..sockets.len() {
        script.push_str(&format!("exec {}<&{} {}<&-; ", 3 + index, 100 + index, 100 + index));
    }
    script.push_str(&format!(
        "export LISTEN_PID={id} LISTEN_FDS={} LISTEN_FDNAMES={names}; \
         exec {PROGRAM} run --config {config}",
        sockets.len()
    ));
    let mut command = Command::new("bash");
    command.args(["-c", &script]);
    command
}

#[test]
fn sockets_that_a_service_manager_listens_on_are_served_and_nobody_is_lost_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = gateway_file(&folder, "workers: 2\nupstream: { url: sandbox }");
    let listener = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let (callers, admin) = (listener(), listener());
    let address = |socket: &TcpListener| socket.local_addr().expect("an address");
    // Before the program is there.
    let mut early = Caller::to(address(&callers));
    early.send(format!("GET {TARGET} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n"));
    let sockets = [&admin, &callers];
    let gateway = Gateway::start(&mut activated(&config, &sockets, "admin:callers", "$$"));
    assert_eq!((gateway.address, gateway.admin), (address(&callers), address(&admin)));
    assert_eq!(early.reply().status, 200);
    for _ in 0..10 {
        assert_eq!(status(&gateway), 200);
    }
    assert_eq!(ask(gateway.admin, "GET /readyz", &[], "").status, 200);
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.end(), 0);

    // What was meant for another process stays there.
    let gateway = Gateway::start(&mut activated(&config, &sockets, "admin:callers", "1"));
    assert_ne!(gateway.address, address(&callers));
    let two = activated(&config, &[&callers, &admin], "a:b", "$$");
    let finished = super::process::finish(&mut { two });
    assert_eq!(finished.code, 71);
    assert!(finished.err.contains("two sockets for callers"), "{}", finished.err);
}

/// What stands behind `WATCHDOG=1`.
#[test]
fn a_pulse_is_answered_by_every_worker() {
    let upstream = Upstream::start([]);
    let gateway = crate::harness::Gateway::with(&upstream, |setup| setup.settings.workers = 2);
    let running = gateway.running();
    assert!(running.beats(), "nothing was asked yet");
    for _ in 0..10 {
        eventually("both answer", || running.beats());
    }
}
