//! How many bytes of bodies may be in memory at once, over all workers: those of callers, and
//! current states. What does not fit is refused; nothing waits for room.

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Room for so many bytes.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Room>);

#[derive(Debug)]
struct Room {
    used: AtomicUsize,
    most: usize,
}

/// How fast a body has to come.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The longest time for all of it.
    pub time: Duration,
    /// How long it may come as slowly as it likes.
    pub grace: Duration,
    /// After that, so many bytes each second, counted from its beginning.
    pub rate: usize,
}

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It broke off.
    Broken,
    /// There is no room for it.
    NoRoom,
    /// It is larger than it may be.
    TooLarge,
    /// It comes too slowly.
    TooSlow,
}

impl Budget {
    /// Room for `most` bytes.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Room { used: AtomicUsize::new(0), most }))
    }

    /// How many bytes are in use.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Reads `body` whole, if it has at most `max` bytes. Room for what it announces is taken at
    /// once, before any of it is asked for; all room is given back when the last handle on the
    /// bytes is dropped. `pace` is how fast it has to come, and since when.
    ///
    /// # Errors
    ///
    /// When it is cut short.
    pub async fn read<B: Body<Data = Bytes> + Unpin>(
        &self,
        mut body: B,
        max: usize,
        pace: Option<(Instant, Pace)>,
    ) -> Result<Bytes, Cut> {
        self.begin(&body, max)?.go_on(&mut body, pace).await
    }

    /// Begins to read a body as [`read`](Self::read) does, and takes room for what it announces.
    ///
    /// # Errors
    ///
    /// When it is too large, or there is no room.
    pub fn begin<B: Body<Data = Bytes>>(&self, body: &B, max: usize) -> Result<Reading, Cut> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > max {
            return Err(Cut::TooLarge);
        }
        let mut share = Share { room: Arc::clone(&self.0), bytes: 0 };
        share.grow_to(announced)?;
        Ok(Reading { share, announced, max, first: Bytes::new(), rest: BytesMut::new() })
    }

    /// Reads what `reader` gives at once, if it is at most `max` bytes. Room for it is taken as it
    /// comes, and given back when the last handle on the bytes is dropped.
    ///
    /// # Errors
    ///
    /// When it is cut short.
    pub fn gather(&self, mut reader: impl Read, max: usize) -> Result<Bytes, Cut> {
        let mut share = Share { room: Arc::clone(&self.0), bytes: 0 };
        let (mut whole, mut piece) = (Vec::new(), [0; 4 << 10]);
        loop {
            let count = reader.read(&mut piece).map_err(|_| Cut::Broken)?;
            if count == 0 {
                break;
            }
            if count > max - whole.len() {
                return Err(Cut::TooLarge);
            }
            share.grow_to(whole.len() + count)?;
            whole.extend_from_slice(piece.get(..count).unwrap_or_default());
            share.grow_to(whole.capacity())?;
        }
        Ok(Bytes::from_owner(Held { bytes: whole.into(), _share: share }))
    }
}

/// A body of which a part was read.
#[derive(Debug)]
pub struct Reading {
    share: Share,
    announced: usize,
    max: usize,
    /// What came first, as long as nothing came after it.
    first: Bytes,
    /// All of it otherwise.
    rest: BytesMut,
}

impl Reading {
    /// Reads of `body` what has come already: most bodies come with their head. Tells whether that
    /// is all.
    ///
    /// # Errors
    ///
    /// When it is cut short.
    pub fn read_come<B: Body<Data = Bytes> + Unpin>(&mut self, body: &mut B) -> Result<bool, Cut> {
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut cx) {
            let Some(frame) = frame else { return Ok(true) };
            self.add(frame.map_err(|_| Cut::Broken)?)?;
        }
        Ok(false)
    }

    /// Reads the rest of `body`; `pace` is how fast it has to come, and since when.
    ///
    /// # Errors
    ///
    /// When it is cut short.
    pub async fn go_on<B: Body<Data = Bytes> + Unpin>(
        mut self,
        body: &mut B,
        pace: Option<(Instant, Pace)>,
    ) -> Result<Bytes, Cut> {
        loop {
            let frame = match pace {
                None => body.frame().await,
                Some((began, pace)) => {
                    let end = began + pace.time_for(self.read());
                    timeout_at(end, body.frame()).await.map_err(|_| Cut::TooSlow)?
                }
            };
            let Some(frame) = frame else { return Ok(self.end()) };
            self.add(frame.map_err(|_| Cut::Broken)?)?;
        }
    }

    /// All that was read.
    pub fn end(self) -> Bytes {
        let Self { share, first, rest, .. } = self;
        let bytes = if rest.is_empty() { first } else { rest.freeze() };
        if bytes.is_empty() { bytes } else { Bytes::from_owner(Held { bytes, _share: share }) }
    }

    fn read(&self) -> usize {
        self.first.len().max(self.rest.len())
    }

    fn add(&mut self, frame: Frame<Bytes>) -> Result<(), Cut> {
        // A trailer is dropped: it must never count as a header.
        let Ok(data) = frame.into_data() else { return Ok(()) };
        let read = self.read();
        if data.len() > self.max - read {
            return Err(Cut::TooLarge);
        }
        self.share.grow_to(read + data.len())?;
        // Most bodies come in one piece, which is then not copied.
        if read == 0 {
            self.first = data;
            return Ok(());
        }
        let Self { share, announced, first, rest, .. } = self;
        if rest.is_empty() {
            rest.reserve((*announced).max(first.len() + data.len()));
            rest.extend_from_slice(&std::mem::take(first));
        }
        rest.extend_from_slice(&data);
        share.grow_to(rest.capacity())
    }
}

impl Pace {
    /// The longest time until the byte after the first `read` ones.
    fn time_for(&self, read: usize) -> Duration {
        let seconds = (read / self.rate.max(1)) as u64;
        self.time.min(self.grace.saturating_add(Duration::from_secs(seconds)))
    }
}

/// What one body takes of the room.
#[derive(Debug)]
struct Share {
    room: Arc<Room>,
    bytes: usize,
}

impl Share {
    fn grow_to(&mut self, bytes: usize) -> Result<(), Cut> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        let before = self.room.used.fetch_add(more, Ordering::Relaxed);
        // Dropping the share takes all of it back.
        self.bytes += more;
        if before + more <= self.room.most { Ok(()) } else { Err(Cut::NoRoom) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes, and their share of the room.
struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http_body::SizeHint;

    struct Pieces(&'static [&'static str], u64);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let Some((piece, rest)) = self.0.split_first() else { return Poll::Ready(None) };
            if *piece == "never" {
                return Poll::Pending;
            }
            self.0 = rest;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(*piece)))))
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_lower(self.1);
            hint
        }
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_not_at_all() {
        let budget = Budget::new(1000);
        assert_eq!(budget.read(Pieces(&["abc"], 0), 3, None).await.unwrap(), "abc");
        let pieces = Pieces(&["a", "", "b", "c"], 3);
        assert_eq!(budget.read(pieces, 3, None).await.unwrap(), "abc");
        for parts in [&["abcd"][..], &["a", "b", "c", "d"]] {
            assert_eq!(budget.read(Pieces(parts, 0), 3, None).await, Err(Cut::TooLarge));
        }
        assert_eq!(budget.read(Pieces(&[], 4), 3, None).await, Err(Cut::TooLarge));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn what_has_come_is_read_at_once_and_the_rest_when_it_comes() {
        let budget = Budget::new(1000);
        let mut body = Pieces(&["ab", "", "c"], 0);
        let mut reading = budget.begin(&body, 3).unwrap();
        assert_eq!(reading.read_come(&mut body), Ok(true));
        assert_eq!(reading.end(), "abc");
        let mut body = Pieces(&["ab", "never"], 0);
        let mut reading = budget.begin(&body, 3).unwrap();
        assert_eq!(reading.read_come(&mut body), Ok(false));
        assert_eq!(reading.go_on(&mut Pieces(&["c"], 0), None).await.unwrap(), "abc");
        let mut body = Pieces(&["abcd", "never"], 0);
        let mut reading = budget.begin(&body, 3).unwrap();
        assert_eq!(reading.read_come(&mut body), Err(Cut::TooLarge));
        drop(reading);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn room_is_taken_at_once_and_given_back_with_the_last_handle() {
        let budget = Budget::new(10);
        let first = budget.read(Pieces(&["abc"], 3), 9, None).await.unwrap();
        assert_eq!(budget.used(), 3);
        assert_eq!(budget.read(Pieces(&[], 8), 9, None).await, Err(Cut::NoRoom));
        assert_eq!(budget.read(Pieces(&["abcd", "efgh"], 0), 9, None).await, Err(Cut::NoRoom));
        let slice = first.slice(1..);
        drop(first);
        assert_eq!(budget.used(), 3);
        drop(slice);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_body_has_to_come_at_its_pace() {
        let second = Duration::from_secs(1);
        let pace = Pace { time: 60 * second, grace: 5 * second, rate: 1000 };
        for (read, bound) in [(0, 5), (999, 5), (1000, 6), (30_500, 35), (1 << 20, 60)] {
            assert_eq!(pace.time_for(read), bound * second, "after {read} bytes");
        }
        let pace = Pace { grace: Duration::from_millis(10), ..pace };
        let pace = Some((Instant::now(), pace));
        let read = Budget::new(100).read(Pieces(&["abcd", "never"], 0), 100, pace).await;
        assert_eq!(read, Err(Cut::TooSlow));
    }
}
