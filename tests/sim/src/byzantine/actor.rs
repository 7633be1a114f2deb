//! The part that every Byzantine masternode plays.
use super::Stage;
use timecoin_chain::{
    types::ConsensusMessage,
    wire::{Request, Response},
};

/// Stands between an engine and the wire. What is not put on the stage is not sent.
pub trait Actor {
    /// The engine underneath wants to send this to all.
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8);

    /// A message came; the engine underneath gets it too.
    fn hear(&mut self, _stage: &mut Stage, _message: &ConsensusMessage) {}

    /// A quarter of a second has passed.
    fn tick(&mut self, _stage: &mut Stage) {}

    /// Its own answer to a request. Without one the engine underneath answers.
    fn reply(&self, _request: &Request) -> Option<Response> {
        None
    }

    /// Whether it answers questions about blocks and bodies. None answers those about votes: what
    /// it hides would come out.
    fn answers(&self) -> bool {
        true
    }
}
