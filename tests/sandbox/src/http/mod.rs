//! An HTTP/1.1 server for the services of this world, and the messages they exchange.
//!
//! Just enough of the protocol for real clients (an HTTP library, `git`): kept connections, bodies
//! with a length or in chunks, `Expect: 100-continue`, streams of events, TLS. It carries out the fault plan and writes
//! every request into the journal. It may not know what a path means.

mod answer;
mod channel;
mod exchange;
mod message;
mod port;
mod server;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use answer::reason;
pub use message::{Request, Response, decode};
pub use server::{Passage, Server, Service};
