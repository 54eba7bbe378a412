//! What a connection needs in memory: much while an exchange lasts, little while it is kept.
//!
//! `ureq` gives each connection buffers of one size for as long as it is kept, and the head of an
//! answer has to fit into one of them, as has each header of a request. A balancer's cookies or a
//! long token need more than is fit to be kept for each of dozens of connections. So the last link in
//! the chain of connectors has buffers of its own, which grow as far as [`HEAD`] and go when the
//! connection comes to rest; the small ones below it are always empty by then. It knows nothing of
//! what passes through.

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// What the head of an answer, or one header of a request, may have: as much as `ureq` accepts, and
/// more than servers do.
pub const HEAD: usize = 64 << 10;
/// Beyond a header's value there is its name.
const OUTPUT: usize = HEAD + 1024;
const STEP: usize = 8 << 10;

/// Wraps whatever the connectors before it made.
#[derive(Debug)]
pub struct GrowingBuffers;

impl<In: Transport> Connector<In> for GrowingBuffers {
    type Out = Growing<In>;

    fn connect(
        &self,
        _: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|below| Growing {
            below,
            room: Room::default(),
        }))
    }
}

#[derive(Debug)]
pub struct Growing<T> {
    below: T,
    room: Room,
}

#[derive(Debug, Default)]
struct Room {
    /// Read and not consumed is `consumed..filled`.
    input: Vec<u8>,
    consumed: usize,
    filled: usize,
    output: Vec<u8>,
    scratch: Vec<u8>,
    /// Whether the last look at the input used some of it: if not, more of it must come first.
    progress: bool,
}

impl<T: Transport> Transport for Growing<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.room
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let mut rest = self.room.output.get(..amount).unwrap_or_default();
        while !rest.is_empty() {
            let output = self.below.buffers().output();
            let (part, later) = rest.split_at(rest.len().min(output.len()));
            output[..part.len()].copy_from_slice(part);
            self.below.transmit_output(part.len(), timeout)?;
            rest = later;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        // All is sent, and the answer may be long in coming.
        self.room.output = Vec::new();
        self.room.scratch = Vec::new();
        // An empty read ends the input; what stands below it does not.
        self.below.maybe_await_input(timeout)?;
        let below = self.below.buffers();
        let arrived = below.input();
        let amount = arrived.len();
        self.room.take_in(arrived);
        below.input_consume(amount);
        Ok(amount > 0)
    }

    /// Asked when an exchange is over and before the next one begins: the moment to make room.
    fn is_open(&mut self) -> bool {
        self.room = Room::default();
        self.below.is_open()
    }

    fn is_tls(&self) -> bool {
        self.below.is_tls()
    }
}

impl Room {
    fn take_in(&mut self, mut arrived: &[u8]) {
        while !arrived.is_empty() {
            let free = self.input_append_buf();
            let (part, later) = arrived.split_at(arrived.len().min(free.len()));
            free[..part.len()].copy_from_slice(part);
            self.input_appended(part.len());
            arrived = later;
        }
    }
}

impl Buffers for Room {
    fn output(&mut self) -> &mut [u8] {
        self.output.resize(OUTPUT, 0);
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        &self.input[self.consumed..self.filled]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.input.copy_within(self.consumed..self.filled, 0);
        self.filled -= self.consumed;
        self.consumed = 0;
        if self.filled == self.input.len() {
            self.input.resize(self.filled + STEP, 0);
        }
        &mut self.input[self.filled..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.consumed += amount;
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.scratch.resize(STEP, 0);
        self.output.resize(OUTPUT, 0);
        (&mut self.scratch, &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.progress && !self.input().is_empty()
    }
}
