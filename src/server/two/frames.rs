//! Follows the frames of a caller and finds trailers with pseudo-fields (RFC 9113 §8.1), which h2 drops
//! without a word: a pure function of the bytes, however they are cut.

use super::hpack::Table;

use std::collections::HashSet;

/// What a caller sends first.
const PREFACE: usize = 24;
const HEAD: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;
/// More than h2 takes of a block.
const BLOCK_MAX: usize = 128 << 10;
/// So many streams can be noted. Whoever has sent more odd trailers sends no others.
const ODD_MAX: usize = 100;

/// The frames of one connection.
#[derive(Debug)]
pub struct Frames {
    table: Table,
    place: Place,
    /// The block of fields that is coming.
    block: Vec<u8>,
    /// The youngest stream: fields on any other are trailers.
    youngest: u32,
    odd: HashSet<u32>,
    /// Whether the frames can be followed no longer.
    is_lost: bool,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum Place {
    /// The preface, or what no frame of fields has.
    Other(usize),
    Head {
        bytes: [u8; HEAD],
        known: usize,
    },
    Fields {
        payload: Vec<u8>,
        frame: Frame,
    },
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            table: Table::default(),
            place: Place::Other(PREFACE),
            block: Vec::new(),
            youngest: 0,
            odd: HashSet::new(),
            is_lost: false,
        }
    }
}

impl Frames {
    /// Looks at the next `bytes` of the connection.
    pub fn look(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_lost {
            bytes = match &mut self.place {
                Place::Other(left) => {
                    let (taken, rest) = bytes.split_at(bytes.len().min(*left));
                    *left -= taken.len();
                    if *left == 0 {
                        self.place = Place::head();
                    }
                    rest
                }
                Place::Head { bytes: head, known } => {
                    let room = head.get_mut(*known..).unwrap_or_default();
                    let (taken, rest) = bytes.split_at(bytes.len().min(room.len()));
                    room.iter_mut().zip(taken).for_each(|(place, byte)| *place = *byte);
                    *known += taken.len();
                    if *known == HEAD {
                        let frame = Frame::read(head);
                        self.begin(frame);
                    }
                    rest
                }
                // Most frames come in one piece.
                Place::Fields { payload, frame }
                    if payload.is_empty() && bytes.len() >= frame.length =>
                {
                    let (fields, rest) = bytes.split_at(frame.length);
                    let frame = *frame;
                    self.place = Place::head();
                    self.read(frame, fields);
                    rest
                }
                Place::Fields { payload, frame } => {
                    let left = frame.length - payload.len();
                    let (taken, rest) = bytes.split_at(bytes.len().min(left));
                    payload.extend_from_slice(taken);
                    if payload.len() == frame.length {
                        let (payload, frame) = (std::mem::take(payload), *frame);
                        self.place = Place::head();
                        self.read(frame, &payload);
                    }
                    rest
                }
            };
        }
    }

    /// Whether the trailers of `stream` have pseudo-fields, as far as anybody can tell.
    pub fn is_odd(&self, stream: u32) -> bool {
        self.is_lost || self.odd.contains(&stream)
    }

    /// Begins with what is behind the head of `frame`.
    fn begin(&mut self, frame: Frame) {
        self.is_lost |= frame.length > BLOCK_MAX;
        let has_fields = matches!(frame.kind, HEADERS | CONTINUATION);
        self.place = match (has_fields, frame.length) {
            (true, 1..) => Place::Fields { payload: Vec::new(), frame },
            (false, 1..) => Place::Other(frame.length),
            (_, 0) => Place::head(),
        };
        if has_fields && frame.length == 0 {
            self.read(frame, &[]);
        }
    }

    /// Reads a frame with fields.
    fn read(&mut self, frame: Frame, payload: &[u8]) {
        let Some(fields) = frame.fields(payload) else { return self.is_lost = true };
        let ends = frame.flags & END_HEADERS != 0;
        // Most blocks come in one frame.
        let has_pseudo = if ends && self.block.is_empty() {
            self.table.has_pseudo(fields)
        } else {
            self.block.extend_from_slice(fields);
            self.is_lost |= self.block.len() > BLOCK_MAX;
            if !ends {
                return;
            }
            self.table.has_pseudo(&std::mem::take(&mut self.block))
        };
        if frame.stream > self.youngest {
            self.youngest = frame.stream;
        } else if has_pseudo == Ok(true) {
            self.odd.insert(frame.stream);
        }
        self.is_lost |= has_pseudo.is_err() || self.odd.len() > ODD_MAX;
    }
}

impl Place {
    fn head() -> Self {
        Self::Head { bytes: [0; HEAD], known: 0 }
    }
}

impl Frame {
    fn read([a, b, c, kind, flags, d, e, f, g]: &[u8; HEAD]) -> Self {
        let length = u32::from_be_bytes([0, *a, *b, *c]);
        Self {
            length: usize::try_from(length).unwrap_or(usize::MAX),
            kind: *kind,
            flags: *flags,
            stream: u32::from_be_bytes([*d & 0x7f, *e, *f, *g]),
        }
    }

    /// The part of the block that stands in `payload`.
    fn fields<'p>(&self, payload: &'p [u8]) -> Option<&'p [u8]> {
        if self.kind == CONTINUATION {
            return Some(payload);
        }
        let (mut fields, mut padding) = (payload, 0);
        if self.flags & PADDED != 0 {
            let (length, rest) = fields.split_first()?;
            (fields, padding) = (rest, usize::from(*length));
        }
        if self.flags & PRIORITY != 0 {
            fields = fields.get(5..)?;
        }
        fields.get(..fields.len().checked_sub(padding)?)
    }
}
