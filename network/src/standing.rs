//! The standing of each peer and host: a score, and bans.
//!
//! A score is between -100 and 100 and halves every ten minutes. At -20 the peer is disconnected,
//! at -50 it is banned: for an hour, then for twice as long each time, up to a day. Only what an
//! honest node never does leads to a ban; sending too much never does. What a peer does counts for
//! its host too, so a new identity changes little.
//!
//! Never closes a connection: the swarm does. Time is an argument. Invariant: at most
//! [`SCORES_MAX`] scores and [`BANS_MAX`] bans.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use libp2p::PeerId;

use crate::origin::Origin;

const SCORE_MAX: f64 = 100.0;
const DISCONNECT_AT: f64 = -20.0;
const BAN_AT: f64 = -50.0;
/// Overuse alone takes a score no lower.
const OVERUSE_FLOOR: f64 = -40.0;
const HALF_LIFE: Duration = Duration::from_secs(600);
const BAN_MIN: Duration = Duration::from_secs(3_600);
const BAN_MAX: Duration = Duration::from_secs(24 * 3_600);
/// The longest ban that can be asked for: ten years.
pub(crate) const BAN_TIME_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);
/// Scores of peers and hosts; those nearest to zero are forgotten first.
const SCORES_MAX: usize = 8_192;
/// Bans, expired ones included; those that end first are forgotten first.
pub(crate) const BANS_MAX: usize = 4_096;
/// A peer is praised at most once in this time.
const PRAISE_PERIOD: Duration = Duration::from_secs(1);

/// Who has a standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// A peer under its identity.
    Peer(PeerId),
    /// An IPv4 address, or the IPv6 /64 of this address.
    Host(IpAddr),
}

impl Party {
    pub(crate) fn host(ip: IpAddr) -> Self {
        Party::Host(Origin::of(ip).host.first())
    }
}

impl std::fmt::Display for Party {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Party::Peer(peer) => peer.fmt(formatter),
            Party::Host(ip) => Origin::of(*ip).host.fmt(formatter),
        }
    }
}

impl std::str::FromStr for Party {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(peer) = text.parse() {
            return Ok(Party::Peer(peer));
        }
        let (ip, bits) = text.split_once('/').unwrap_or((text, ""));
        let party = match (ip.parse(), bits) {
            (Ok(ip @ IpAddr::V4(_)), "" | "32") => Some(Party::host(ip)),
            (Ok(ip @ IpAddr::V6(_)), "" | "64") => Some(Party::host(ip)),
            _ => None,
        };
        let what = "neither a peer id nor an IPv4 address nor an IPv6 address or /64";
        party.ok_or_else(|| format!("{text:?} is {what}"))
    }
}

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offence {
    /// It sent what the application proved to be invalid.
    Invalid,
    /// It sent bytes that are no message of the protocol.
    Malformed,
    /// It published on a topic that this node does not have.
    UnknownTopic,
    /// It goes on over its quota.
    Overuse,
}

impl Offence {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Offence::Invalid => "sent invalid messages",
            Offence::Malformed => "sent malformed bytes",
            Offence::UnknownTopic => "published on a topic that this chain does not have",
            Offence::Overuse => "sent far more messages than its quota",
        }
    }

    const fn points(self) -> f64 {
        match self {
            Offence::Invalid | Offence::Malformed => 10.0,
            Offence::UnknownTopic | Offence::Overuse => 20.0,
        }
    }

    const fn floor(self) -> f64 {
        match self {
            Offence::Overuse => OVERUSE_FLOOR,
            Offence::Invalid | Offence::Malformed | Offence::UnknownTopic => -SCORE_MAX,
        }
    }
}

/// What follows from an offence, in ascending order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sentence {
    Nothing,
    Disconnect,
    Ban(Party),
}

/// A ban of a peer or host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub party: Party,
    /// Why.
    pub reason: String,
    /// How long it still lasts.
    pub remaining: Duration,
    /// How often this party was banned: each ban is twice as long as the last.
    pub times: u32,
}

#[derive(Debug)]
struct Score {
    points: f64,
    at: Instant,
    praised_at: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    reason: String,
    until: Instant,
    times: u32,
}

/// All scores and bans.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    scores: HashMap<Party, Score>,
    bans: HashMap<Party, Entry>,
}

impl Score {
    fn now(&self, now: Instant) -> f64 {
        let halves = now.saturating_duration_since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.points * 0.5_f64.powf(halves)
    }
}

impl Standings {
    /// A peer's score.
    pub(crate) fn score(&self, party: Party, now: Instant) -> f64 {
        self.scores.get(&party).map_or(0.0, |score| score.now(now))
    }

    /// The peer was the first to bring something that was accepted.
    pub(crate) fn praise(&mut self, peer: PeerId, now: Instant) {
        let score = self.entry(Party::Peer(peer), now);
        let is_due = |at: Instant| now.saturating_duration_since(at) >= PRAISE_PERIOD;
        if score.praised_at.is_none_or(is_due) {
            score.points = (score.now(now) + 1.0).min(SCORE_MAX);
            (score.at, score.praised_at) = (now, Some(now));
        }
    }

    /// The peer broke a rule. Its host, if it is given, is to blame as well.
    pub(crate) fn blame(
        &mut self,
        peer: PeerId,
        host: Option<IpAddr>,
        offence: Offence,
        now: Instant,
    ) -> Sentence {
        let parties = [Some(Party::Peer(peer)), host.map(Party::host)];
        let sentences = parties.into_iter().flatten().map(|party| self.charge(party, offence, now));
        sentences.max().unwrap_or(Sentence::Nothing)
    }

    fn charge(&mut self, party: Party, offence: Offence, now: Instant) -> Sentence {
        if self.banned(&party, now).is_some() {
            // Sent before the ban took effect: it is not banned twice for it.
            return Sentence::Disconnect;
        }
        let score = self.entry(party, now);
        let before = score.now(now);
        let after = (before - offence.points()).max(offence.floor().min(before));
        (score.points, score.at) = (after, now);
        // Rounded as it is shown: what happens within a second has hardly decayed.
        if after.round() <= BAN_AT {
            let duration = self.next_ban(&party);
            self.ban(party, offence.reason().to_owned(), duration, now);
            return Sentence::Ban(party);
        }
        match after.round() <= DISCONNECT_AT {
            true => Sentence::Disconnect,
            false => Sentence::Nothing,
        }
    }

    fn next_ban(&self, party: &Party) -> Duration {
        let times = self.bans.get(party).map_or(0, |ban| ban.times);
        BAN_MIN.saturating_mul(1 << times.min(16)).min(BAN_MAX)
    }

    /// Bans a party from now on. Its score starts anew.
    pub(crate) fn ban(&mut self, party: Party, reason: String, duration: Duration, now: Instant) {
        let times = self.bans.get(&party).map_or(0, |ban| ban.times).saturating_add(1);
        self.restore(Ban { party, reason, remaining: duration, times }, now);
        self.scores.remove(&party);
    }

    /// Takes over a ban of an earlier start.
    pub(crate) fn restore(&mut self, ban: Ban, now: Instant) {
        let Ban { party, reason, remaining, times } = ban;
        let until = now + remaining;
        self.bans.insert(party, Entry { reason, until, times });
        if self.bans.len() > BANS_MAX {
            let first = self.bans.iter().min_by_key(|(_, ban)| ban.until).map(|(party, _)| *party);
            first.map(|party| self.bans.remove(&party));
        }
    }

    /// Lifts a ban; false if there is none.
    pub(crate) fn unban(&mut self, party: &Party, now: Instant) -> bool {
        self.bans.remove(party).is_some_and(|ban| ban.until > now)
    }

    /// The reason why a party is banned, if it is.
    pub(crate) fn banned(&self, party: &Party, now: Instant) -> Option<&str> {
        let ban = self.bans.get(party).filter(|ban| ban.until > now);
        ban.map(|ban| ban.reason.as_str())
    }

    /// The bans in force, ordered by party.
    pub(crate) fn bans(&self, now: Instant) -> Vec<Ban> {
        let in_force = self.bans.iter().filter(|(_, ban)| ban.until > now);
        let mut bans: Vec<Ban> = in_force
            .map(|(party, ban)| Ban {
                party: *party,
                reason: ban.reason.clone(),
                remaining: ban.until.saturating_duration_since(now),
                times: ban.times,
            })
            .collect();
        bans.sort_by_key(|ban| ban.party);
        bans
    }

    /// The number of bans in force.
    pub(crate) fn bans_count(&self, now: Instant) -> usize {
        self.bans.values().filter(|ban| ban.until > now).count()
    }

    fn entry(&mut self, party: Party, now: Instant) -> &mut Score {
        if self.scores.len() >= SCORES_MAX && !self.scores.contains_key(&party) {
            let distance = |score: &Score| score.now(now).abs();
            let least = self
                .scores
                .iter()
                .min_by(|(_, one), (_, other)| distance(one).total_cmp(&distance(other)))
                .map(|(party, _)| *party);
            least.map(|party| self.scores.remove(&party));
        }
        self.scores.entry(party).or_insert(Score { points: 0.0, at: now, praised_at: None })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn proof_of_wrongdoing_disconnects_then_bans_and_each_ban_is_twice_as_long() {
        let (mut now, peer) = (Instant::now(), PeerId::random());
        let mut standings = Standings::default();
        let blame =
            |standings: &mut Standings, now| standings.blame(peer, None, Offence::Invalid, now);
        for hours in [1, 2, 4, 8, 16, 24, 24] {
            let at = |number: u32| now + Duration::from_millis(200) * number;
            let sentences: Vec<Sentence> =
                (0..5).map(|number| blame(&mut standings, at(number))).collect();
            now = at(4);
            let (none, cut) = (Sentence::Nothing, Sentence::Disconnect);
            assert_eq!(sentences, [none, cut, cut, cut, Sentence::Ban(Party::Peer(peer))]);
            assert_eq!(standings.bans(now)[0].remaining, hours * HOUR);
            now += hours * HOUR - Duration::from_secs(1);
            assert!(standings.banned(&Party::Peer(peer), now).is_some());
            now += Duration::from_secs(1);
            assert!(standings.banned(&Party::Peer(peer), now).is_none());
        }
    }

    #[test]
    fn what_was_sent_before_a_ban_is_not_punished_twice() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut standings = Standings::default();
        for _ in 0..1_000 {
            standings.blame(peer, Some(ip("9.9.9.9")), Offence::Malformed, now);
        }
        let bans = standings.bans(now);
        assert_eq!(bans.len(), 2, "the peer and its host");
        assert!(bans.iter().all(|ban| ban.times == 1 && ban.remaining == HOUR), "{bans:?}");
    }

    #[test]
    fn overuse_disconnects_and_never_bans() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut standings = Standings::default();
        for _ in 0..100 {
            let sentence = standings.blame(peer, Some(ip("9.9.9.9")), Offence::Overuse, now);
            assert_eq!(sentence, Sentence::Disconnect);
        }
        // Nor does it lift what proof has led to.
        for _ in 0..2 {
            standings.blame(peer, None, Offence::Invalid, now);
        }
        assert!(standings.banned(&Party::Peer(peer), now).is_some());
    }

    #[test]
    fn a_host_pays_for_all_its_identities() {
        let now = Instant::now();
        let mut standings = Standings::default();
        let host = ip("2001:db8:1:2:3::4");
        let sentence = (0..5)
            .map(|_| standings.blame(PeerId::random(), Some(host), Offence::Invalid, now))
            .last();
        assert_eq!(sentence, Some(Sentence::Ban(Party::host(ip("2001:db8:1:2::")))));
        assert!(standings.banned(&Party::host(ip("2001:db8:1:2:ffff::1")), now).is_some());
        assert!(standings.banned(&Party::host(ip("2001:db8:1:3::1")), now).is_none());
    }

    #[test]
    fn scores_are_bounded_and_halve_in_ten_minutes() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let mut standings = Standings::default();
        for second in 0..1_000 {
            standings.praise(peer, start + Duration::from_secs(second));
            standings.praise(peer, start + Duration::from_secs(second));
        }
        let now = start + Duration::from_secs(999);
        let party = Party::Peer(peer);
        assert!((standings.score(party, now) - SCORE_MAX).abs() < 0.2);
        let later = standings.score(party, now + HALF_LIFE);
        assert!((later - SCORE_MAX / 2.0).abs() < 0.2, "{later}");
        for _ in 0..100 {
            standings.blame(peer, None, Offence::Overuse, now);
        }
        assert!((standings.score(party, now) - OVERUSE_FLOOR).abs() < 0.01);
    }

    #[test]
    fn tables_are_bounded_and_keep_the_worst() {
        let (now, worst) = (Instant::now(), PeerId::random());
        let mut standings = Standings::default();
        for _ in 0..4 {
            standings.blame(worst, None, Offence::Invalid, now);
        }
        for _ in 0..SCORES_MAX + 10 {
            standings.blame(PeerId::random(), None, Offence::Invalid, now);
        }
        assert_eq!(standings.scores.len(), SCORES_MAX);
        assert!(standings.score(Party::Peer(worst), now) < -39.0);
        for seconds in 0..u64::try_from(BANS_MAX).unwrap() + 10 {
            let party = Party::Peer(PeerId::random());
            standings.ban(party, String::new(), Duration::from_secs(seconds + 1), now);
        }
        assert_eq!((standings.bans(now).len(), standings.bans_count(now)), (BANS_MAX, BANS_MAX));
        let later = now + Duration::from_secs(u64::try_from(BANS_MAX).unwrap());
        assert_eq!(standings.bans_count(later), 10);
    }

    #[test]
    fn a_party_is_read_as_it_is_written() {
        let peer = PeerId::random();
        for party in [Party::Peer(peer), Party::host(ip("9.8.7.6")), Party::host(ip("2001:db8::1"))]
        {
            assert_eq!(party.to_string().parse(), Ok(party));
        }
        assert_eq!("9.8.7.6".parse(), Ok(Party::host(ip("9.8.7.6"))));
        for text in ["nobody", "", "/", "9.8.7.6/24", "2001:db8::/32", "9.8.7"] {
            assert!(text.parse::<Party>().is_err(), "{text}");
        }
    }
}
