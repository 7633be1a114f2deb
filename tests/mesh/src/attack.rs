//! A hostile process on a host, and what it tells.
use crate::{host::Host, outcome::Outcome, process::Process, watch::millis};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::IpAddr,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};
use timecoin_hostile::{Event, Plan, Told};

/// A running attack; it ends when dropped.
pub(crate) struct Attack {
    process: Process,
    told: Arc<Mutex<Vec<Told>>>,
    begun: Instant,
    _host: Host,
}

impl Attack {
    pub(crate) fn begin(host: Host, plan: &Plan) -> Outcome<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg("hostile").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = host.enter(|| Process::spawn(&mut command))?;
        if let Some(mut stdin) = process.child().stdin.take() {
            stdin.write_all(&serde_json::to_vec(plan)?)?;
        }
        let told = Arc::new(Mutex::new(Vec::new()));
        if let Some(stdout) = process.child().stdout.take() {
            let told = Arc::clone(&told);
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if let Ok(line) = serde_json::from_str(&line) {
                        told.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                    }
                }
            });
        }
        Ok(Self { process, told, begun: Instant::now(), _host: host })
    }

    /// Everything that it told so far.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self, counts: impl Fn(&Event) -> bool) -> u64 {
        u64::try_from(self.told().iter().filter(|told| counts(&told.event)).count())
            .unwrap_or(u64::MAX)
    }

    /// How long the longest connection lasted, those counted that still last. One that its identity
    /// left by itself does not count.
    pub(crate) fn longest_ms(&self) -> u64 {
        let (mut open, mut longest) = (HashMap::new(), 0);
        for told in self.told() {
            match told.event {
                Event::Connected { .. } => {
                    open.insert(told.identity, told.at_ms);
                }
                Event::Ended { after_ms, left, .. } => {
                    open.remove(&told.identity);
                    longest = longest.max(if left { 0 } else { after_ms });
                }
                Event::Refused | Event::Answered { .. } => {}
            }
        }
        let now = millis(self.begun.elapsed());
        open.values().map(|since| now.saturating_sub(*since)).fold(longest, u64::max)
    }

    /// For each address that was connected: from its first connection until its last one ended, or
    /// until now.
    pub(crate) fn stays_ms(&self) -> Vec<u64> {
        let mut of: HashMap<IpAddr, (u64, u64, i64)> = HashMap::new();
        for told in self.told() {
            let change = match told.event {
                Event::Connected { .. } => 1,
                Event::Ended { .. } => -1,
                Event::Refused | Event::Answered { .. } => continue,
            };
            let (_, last, open) = of.entry(told.from).or_insert((told.at_ms, 0, 0));
            (*last, *open) = (told.at_ms, *open + change);
        }
        let now = millis(self.begun.elapsed());
        let stay = |(first, last, open): (u64, u64, i64)| {
            if open > 0 { now.saturating_sub(first) } else { last - first }
        };
        of.into_values().map(stay).collect()
    }

    /// Bytes of messages that were sent on connections that ended.
    pub(crate) fn sent(&self) -> u64 {
        let sent = |told: &Told| match told.event {
            Event::Ended { sent, .. } => sent,
            _ => 0,
        };
        self.told().iter().map(sent).sum()
    }

    /// Whether the process still runs: a test of an attack that ended tests nothing.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.process.child().try_wait(), Ok(None))
    }
}

/// The hostile process itself: reads a plan from standard input, and carries it out.
pub(crate) fn main() -> Outcome<()> {
    let plan: Plan = serde_json::from_reader(std::io::stdin())?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(timecoin_hostile::run(plan, std::io::stdout()));
    Ok(())
}
