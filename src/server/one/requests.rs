//! The requests of a connection, one after the other: a pure function of its bytes, however they are
//! cut.

use super::head::{Bounds, Framing, Head, Told};
use crate::proxy::chunks::{Chunks, Extensions, Taken};
use crate::proxy::rejection::Unsound;
use crate::proxy::request;

use bytes::{Buf, BytesMut};

/// What was read of a connection and not taken yet.
#[derive(Debug)]
pub struct Requests {
    bounds: Bounds,
    /// Where more is to be read to.
    pub bytes: BytesMut,
    place: Place,
    /// What is known of the head that comes next.
    head: Head,
    closes: bool,
    expects: bool,
}

#[derive(Debug)]
enum Place {
    Head,
    Body(u64),
    Chunks(Box<Chunks>),
}

impl Requests {
    /// Of a connection that has just begun.
    pub fn new(bounds: Bounds) -> Self {
        let (place, head) = (Place::Body(0), Head::default());
        Self { bounds, bytes: BytesMut::new(), place, head, closes: false, expects: false }
    }

    /// The head of the next request, once it is there and the body of the one before is taken.
    ///
    /// # Errors
    ///
    /// When no request comes any more: what is there is none.
    pub fn take_head(&mut self) -> Result<Option<Box<request::Head>>, Unsound> {
        if matches!(self.place, Place::Body(0)) && !self.bytes.is_empty() {
            self.place = Place::Head;
        }
        if !matches!(self.place, Place::Head) {
            return Ok(None);
        }
        let Some(end) = self.head.look(&mut self.bytes, &self.bounds)? else { return Ok(None) };
        let (head, told) = self.head.take(self.bytes.get(..end).unwrap_or_default())?;
        self.bytes.advance(end);
        let Told { framing, closes, expects } = told;
        self.place = match framing {
            Framing::Chunked => Place::Chunks(Box::new(Chunks::new(Extensions::Refused))),
            Framing::Length(length) => Place::Body(length),
        };
        (self.closes, self.expects) = (closes, expects);
        Ok(Some(head))
    }

    /// What stands first of the body of the request whose head was taken.
    pub fn take_data(&mut self) -> Taken {
        let taken = match &mut self.place {
            Place::Head | Place::Body(0) => Taken::Ended,
            Place::Body(_) if self.bytes.is_empty() => Taken::Nothing,
            Place::Body(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                // What is taken as a whole need not be shared.
                let data = match most < self.bytes.len() {
                    true => self.bytes.split_to(most),
                    false => std::mem::take(&mut self.bytes),
                };
                let data = data.freeze();
                *left -= data.len() as u64;
                Taken::Data(data)
            }
            Place::Chunks(chunks) => chunks.take(&mut self.bytes),
        };
        match taken {
            Taken::Ended => self.place = Place::Body(0),
            // Who sends the body does not wait any longer.
            Taken::Data(_) => self.expects = false,
            Taken::Broken | Taken::Nothing => {}
        }
        taken
    }

    /// How many bytes of the body are to come, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self.place {
            Place::Head => Some(0),
            Place::Body(left) => Some(left),
            Place::Chunks(_) => None,
        }
    }

    /// Whether a part of a head is there.
    pub(super) fn has_part(&self) -> bool {
        matches!(self.place, Place::Head)
    }

    /// Whether the caller wants no other request after this one.
    pub(super) fn closes(&self) -> bool {
        self.closes
    }

    /// Whether the caller still waits to be told to go on.
    pub(super) fn expects(&self) -> bool {
        self.expects
    }

    /// Notes that the caller was told to go on.
    pub(super) fn told(&mut self) {
        self.expects = false;
    }
}
