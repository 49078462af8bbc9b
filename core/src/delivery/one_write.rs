//! Sends a request's head and body in one write: holds back what ureq hands over in pieces until
//! the answer is awaited.
//!
//! It goes around TCP and TLS alike, so that a request is one packet and one TLS record.

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::exchange::{self, Stage};

/// Room that is always left for the next piece; what is held is sent on before it gets scarce.
const LEAST_ROOM: usize = 4 * 1024;

/// Wraps whatever connection the connectors before it made.
#[derive(Debug)]
pub(crate) struct OneWriteConnector;

impl<In: Transport> Connector<In> for OneWriteConnector {
    type Out = OneWrite<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        inner: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let config = details.config;
        Ok(inner.map(|inner| OneWrite {
            inner,
            buffers: HoldingBuffers {
                lazy: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
                held: 0,
            },
        }))
    }
}

/// A connection that writes when the answer is awaited, and not before.
#[derive(Debug)]
pub(crate) struct OneWrite<In> {
    inner: In,
    buffers: HoldingBuffers,
}

impl<In: Transport> OneWrite<In> {
    fn send_held(&mut self, timeout: NextTimeout) -> Result<(), Error> {
        let held = std::mem::take(&mut self.buffers.held);
        let mut rest = &self.buffers.lazy.output()[..held];
        while !rest.is_empty() {
            let room = self.inner.buffers().output();
            let (piece, after) = rest.split_at(rest.len().min(room.len()));
            room[..piece.len()].copy_from_slice(piece);
            self.inner.transmit_output(piece.len(), timeout)?;
            rest = after;
        }
        Ok(())
    }

    /// Takes over as much input as fits, and says how much that was.
    fn take_input(&mut self) -> usize {
        let inner = self.inner.buffers();
        let input = inner.input();
        let room = self.buffers.lazy.input_append_buf();
        let amount = input.len().min(room.len());
        room[..amount].copy_from_slice(&input[..amount]);
        inner.input_consume(amount);
        self.buffers.lazy.input_appended(amount);
        amount
    }
}

impl<In: Transport> Transport for OneWrite<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        exchange::enter(Stage::Sending);
        self.buffers.held += amount;
        if self.buffers.output().len() < LEAST_ROOM {
            self.send_held(timeout)?;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.send_held(timeout)?;
        exchange::enter(Stage::Waiting);
        if self.inner.buffers().input().is_empty() {
            self.inner.await_input(timeout)?;
        }
        Ok(self.take_input() > 0)
    }

    fn is_open(&mut self) -> bool {
        self.buffers.held == 0 && self.inner.buffers().input().is_empty() && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Buffers whose output starts after what is being held.
#[derive(Debug)]
struct HoldingBuffers {
    lazy: LazyBuffers,
    held: usize,
}

impl Buffers for HoldingBuffers {
    fn output(&mut self) -> &mut [u8] {
        &mut self.lazy.output()[self.held..]
    }

    fn input(&self) -> &[u8] {
        self.lazy.input()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.lazy.input_append_buf()
    }

    fn input_appended(&mut self, amount: usize) {
        self.lazy.input_appended(amount);
    }

    fn input_consume(&mut self, amount: usize) {
        self.lazy.input_consume(amount);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        let (scratch, output) = self.lazy.tmp_and_output();
        (scratch, &mut output[self.held..])
    }

    fn can_use_input(&self) -> bool {
        self.lazy.can_use_input()
    }
}
