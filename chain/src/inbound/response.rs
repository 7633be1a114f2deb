//! Responses to this node's requests: decoded, held against the request, and each message verified once.
//!
//! Never forwards anything, and gives no verdict: the engine hears that a request has failed, and whom to blame for it.
use super::{
    Action, INLINE_BYTES_MAX, Pass, Purpose,
    job::{self, Fault, Found, Task},
    memory,
};
use crate::{
    crypto::Verified,
    limits::ANSWER_CERTIFICATES_MAX,
    types::{Attestation, ConsensusMessage},
    wire::{Peer, Request},
};

impl Pass<'_> {
    /// The response to a request of this node.
    pub fn on_response(&mut self, from: Peer, request: Request, bytes: Vec<u8>) {
        let protocol = request.protocol();
        let task = match &request {
            Request::Blocks(blocks) => Task::Blocks(self.door.set.clone(), *blocks, bytes),
            Request::Bodies(bodies) => Task::Bodies(bodies.clone(), bytes),
            Request::Status | Request::Votes(_) if bytes.len() <= INLINE_BYTES_MAX => {
                let result = job::decode_response(&self.door.chain, protocol, &bytes);
                return self.on_read(from, request, result);
            }
            Request::Status | Request::Votes(_) => Task::Response(protocol, bytes),
        };
        self.start(task, Purpose::Response(from, request));
    }

    pub(super) fn on_read(&mut self, from: Peer, request: Request, result: Result<Found, Fault>) {
        match (request, result) {
            (_, Ok(Found::Status(None))) => self.actions.push(Action::Status(from, None)),
            (request, Ok(Found::Status(Some(tip)))) => {
                self.check_messages(from, request, vec![ConsensusMessage::Certificate(tip)]);
            }
            (request, Ok(Found::Votes(messages, attestation))) => {
                if let Some(attestation) = attestation.filter(|it| is_asked_for(it, &request)) {
                    let task = Task::Attestation(self.door.set.clone(), attestation);
                    self.start(task, Purpose::Response(from, request.clone()));
                }
                let useful =
                    |message: &ConsensusMessage| self.window.takes_response(&request, message);
                let messages = messages.into_iter().filter(useful).collect();
                self.check_messages(from, request, messages);
            }
            (_, Ok(Found::Attested(attestation))) => {
                self.actions.push(Action::Attestation(attestation));
            }
            (_, Ok(Found::Blocks(blocks))) => self.actions.push(Action::Blocks(from, blocks)),
            (Request::Bodies(request), Ok(Found::Bodies(bodies))) => {
                self.actions.push(Action::Bodies(from, request, bodies));
            }
            (request, Err(fault)) => self.fail(from, request, fault),
            (request, Ok(_)) => self.actions.push(Action::Failed(from, request)),
        }
    }

    /// The response is none that an honest node gives.
    pub(super) fn fail(&mut self, from: Peer, request: Request, Fault(reason): Fault) {
        self.actions.push(Action::Blame(from, reason));
        self.actions.push(Action::Failed(from, request));
    }

    /// Messages of a response: each is verified once, and not again if it was before.
    fn check_messages(&mut self, from: Peer, request: Request, messages: Vec<ConsensusMessage>) {
        let (mut known, mut unknown, mut digests) = (Vec::new(), Vec::new(), Vec::new());
        for message in messages {
            let digest = memory::digest(&message);
            if self.door.memory.is_verified(&digest) {
                known.push(Verified::checked(message));
            } else if !digests.contains(&digest) {
                digests.push(digest);
                unknown.push(message);
            }
        }
        let is_certificate =
            |message: &&ConsensusMessage| !matches!(message, ConsensusMessage::Vote(_));
        if unknown.iter().filter(is_certificate).count() > ANSWER_CERTIFICATES_MAX {
            return self.actions.push(Action::Failed(from, request));
        }
        if unknown.is_empty() {
            return self.deliver(from, &request, known);
        }
        let task = Task::Verify(self.door.set.clone(), unknown);
        self.start(task, Purpose::Messages(from, request, known, digests));
    }

    pub(super) fn deliver(
        &mut self,
        from: Peer,
        request: &Request,
        messages: impl IntoIterator<Item = Verified<ConsensusMessage>>,
    ) {
        for message in messages {
            let tip = Some(request).filter(|request| **request == Request::Status);
            self.actions.push(match tip.and_then(|_| message.certificate()) {
                Some(tip) => Action::Status(from, Some(tip)),
                None => Action::Message(from, message),
            });
        }
    }
}

/// Whether an attestation answers the inquiry of this request.
fn is_asked_for(attestation: &Attestation, request: &Request) -> bool {
    matches!(request, Request::Votes(votes) if votes.inquiry == Some(attestation.inquiry))
}
