//! Byzantine masternodes: each runs an unmodified engine on a disk of its own, and an actor stands
//! between what that engine wants to send and the wire.
//!
//! An actor signs with its own key only. Together the actors of a seed have less than a third of the
//! weight, so everything that is asked of honest nodes must hold with them there, before and after
//! everything heals. Whatever an actor sends passes the codec and the checks of the real code, and
//! what fails these reaches nobody, as in the node.
mod actor;
mod amnesia;
mod costly;
mod echo;
mod equivocate;
mod flood;
mod hide_lock;
mod late;
mod mutate;
mod past_round;
pub mod plot;
mod selective;
mod silent;
mod stage;
mod stale;
pub mod twins;
mod withhold;

use crate::rng::Rng;
pub use crate::role::Role;
pub use actor::Actor;
pub use stage::{Parcel, Stage};

/// The actor of a role; a twin needs none.
pub fn actor(role: Role, rng: &mut Rng) -> Option<Box<dyn Actor>> {
    Some(match role {
        Role::Silent => Box::new(silent::Silent::draw(rng)),
        Role::SelectiveProposer => Box::new(selective::SelectiveProposer),
        Role::EquivocatingProposer => Box::new(equivocate::EquivocatingProposer::default()),
        Role::HiddenLock => Box::new(hide_lock::HiddenLock::default()),
        Role::Amnesia => Box::new(amnesia::Amnesia::default()),
        Role::Withholder => Box::new(withhold::Withholder),
        Role::Flooder => Box::new(flood::Flooder::draw(rng)),
        Role::LateVoter => Box::new(late::LateVoter),
        Role::PastRoundDecider => Box::new(past_round::PastRoundDecider::default()),
        Role::StaleResender => Box::new(stale::StaleResender::default()),
        Role::Mutator => Box::new(mutate::Mutator),
        Role::Echo => Box::new(echo::Echo::shameless()),
        Role::CostlyProposer => Box::new(costly::CostlyProposer::default()),
        Role::Turncoat => Box::new(echo::Echo::turncoat()),
        Role::Twin => return None,
    })
}
