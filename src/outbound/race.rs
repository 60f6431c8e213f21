//! Several addresses of one name: the first that can be connected to (RFC 8305, in small).
//!
//! Nothing is sent before one of them has won, so that nothing is sent twice.

use tokio::time::{Sleep, sleep};

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long an address is waited for before the next is tried beside it.
pub(super) const STAGGER: Duration = Duration::from_millis(250);

/// What `connect` makes of the first of `addresses` that it succeeds with. They are tried in turn,
/// families mixed, each `stagger` after the one before or as soon as that has failed.
pub(super) async fn race<T, F>(
    addresses: impl IntoIterator<Item = SocketAddr>,
    stagger: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = mixed(addresses);
    let mut running: Vec<Pin<Box<F>>> = Vec::new();
    let mut failed = None;
    loop {
        let next = waiting.pop_front();
        if next.is_none() && running.is_empty() {
            let nobody = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return Err(failed.unwrap_or_else(nobody));
        }
        running.extend(next.map(|address| Box::pin(connect(address))));
        let mut timer = (!waiting.is_empty()).then(|| Box::pin(sleep(stagger)));
        match poll_fn(|cx| step(cx, &mut running, timer.as_mut())).await {
            Step::Connected(connected) => return Ok(connected),
            Step::Failed(error) => failed = Some(error),
            Step::Late => {}
        }
    }
}

enum Step<T> {
    Connected(T),
    Failed(io::Error),
    /// It is time for the next one.
    Late,
}

fn step<T, F: Future<Output = io::Result<T>>>(
    cx: &mut Context<'_>,
    running: &mut Vec<Pin<Box<F>>>,
    timer: Option<&mut Pin<Box<Sleep>>>,
) -> Poll<Step<T>> {
    let mut failed = None;
    let mut connected = None;
    running.retain_mut(|attempt| match attempt.as_mut().poll(cx) {
        Poll::Pending => true,
        Poll::Ready(Ok(one)) => {
            connected = Some(one);
            false
        }
        Poll::Ready(Err(error)) => {
            failed = Some(error);
            false
        }
    });
    match (connected, failed, timer) {
        (Some(connected), ..) => Poll::Ready(Step::Connected(connected)),
        (None, Some(error), _) => Poll::Ready(Step::Failed(error)),
        (None, None, Some(timer)) => timer.as_mut().poll(cx).map(|()| Step::Late),
        (None, None, None) => Poll::Pending,
    }
}

/// The same addresses, one of each family in turn, that of the first one first.
fn mixed(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let all: Vec<_> = addresses.into_iter().collect();
    let first = all.first().map(SocketAddr::is_ipv6);
    let (like, unlike): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|address| Some(address.is_ipv6()) == first);
    let (mut like, mut unlike) = (like.into_iter(), unlike.into_iter());
    let mut mixed = VecDeque::new();
    loop {
        let (one, other) = (like.next(), unlike.next());
        if one.is_none() && other.is_none() {
            return mixed;
        }
        mixed.extend(one.into_iter().chain(other));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::RefCell;
    use std::time::Instant;

    /// Races over ports: below 10 refused, below 20 silent, else connected.
    fn run(ports: &[u16], stagger: Duration) -> (io::Result<u16>, Vec<u16>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let tried = RefCell::new(Vec::new());
        let addresses = ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port)));
        let won = runtime.block_on(race(addresses, stagger, |address| {
            let port = address.port();
            tried.borrow_mut().push(port);
            async move {
                match port {
                    0..10 => Err(io::ErrorKind::ConnectionRefused.into()),
                    10..20 => std::future::pending().await,
                    _ => Ok(port),
                }
            }
        }));
        (won, tried.into_inner())
    }

    #[test]
    fn the_first_that_answers_wins_and_those_behind_it_are_not_tried() {
        let (won, tried) = run(&[20, 21], Duration::from_secs(60));
        assert_eq!((won.unwrap(), tried), (20, vec![20]));
    }

    #[test]
    fn one_that_fails_costs_no_time_and_one_that_is_silent_the_stagger() {
        let began = Instant::now();
        let (won, tried) = run(&[1, 2, 20], Duration::from_secs(60));
        assert_eq!((won.unwrap(), tried), (20, vec![1, 2, 20]));
        assert!(began.elapsed() < Duration::from_secs(30));
        let (won, tried) = run(&[10, 11, 20], Duration::from_millis(20));
        assert_eq!((won.unwrap(), tried), (20, vec![10, 11, 20]));
        assert!(began.elapsed() >= Duration::from_millis(40));
    }

    #[test]
    fn all_that_fail_are_a_failure_and_none_is_one() {
        let (lost, tried) = run(&[1, 2, 3], Duration::from_secs(60));
        assert_eq!(lost.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(tried, [1, 2, 3]);
        assert_eq!(run(&[], Duration::ZERO).0.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn families_take_turns() {
        let four = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let six = |port| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port));
        let given = [six(1), six(2), six(3), four(1), four(2)];
        assert_eq!(mixed(given), [six(1), four(1), six(2), four(2), six(3)]);
        assert_eq!(mixed([four(1), four(2), six(1)]), [four(1), six(1), four(2)]);
    }
}
