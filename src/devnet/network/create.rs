//! A new local network: keys, wallets and genesis, and configurations for processes on this machine.
use super::{
    layout::Layout,
    state::{NodeEntry, TestnetState},
};
use crate::{
    config, durable, genesis_file, keys,
    keys::begin_record,
    terminal::{CliError, Exit},
    wallet::{WalletFile, path_of},
};
use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};
use timecoin_chain::{
    crypto::{PublicKey, Signer},
    genesis::{Allocation, Chain, Genesis, Network},
    types::{Amount, Lock, Masternode, Millis, Timestamp},
};
use toml::Value;

/// The funded wallet.
pub(crate) const FUNDED: &str = "alice";
/// Its funds.
pub(crate) const FUNDS: Amount = Amount::from_time(1_000_000);
/// Ports from one node to the next.
const PORT_STEP: u16 = 10;

/// The shape of a new network.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) validators: u16,
    pub(crate) full: u16,
    pub(crate) base_port: u16,
    pub(crate) block_interval_ms: Option<u64>,
    pub(crate) min_spacing_ms: Option<u64>,
    pub(crate) alloc_outputs: u64,
}

/// What every kind of network begins with.
pub(super) struct Made {
    pub(super) chain: Chain,
    pub(super) nodes: Vec<NodeEntry>,
    /// The masternodes' names and keys.
    voting: Vec<(String, PublicKey)>,
}

/// Makes everything, or leaves nothing.
pub(crate) fn create(layout: &Layout, plan: &Plan) -> Result<TestnetState, CliError> {
    whole_or_nothing(layout, || fill(layout, plan))
}

/// Makes the network's directory, which must be empty or new, and fills it; removes it if that fails.
pub(super) fn whole_or_nothing<T>(
    layout: &Layout,
    fill: impl FnOnce() -> Result<T, CliError>,
) -> Result<T, CliError> {
    make_dir(layout.root())?;
    if fs::read_dir(layout.root()).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(CliError::new(
            Exit::Usage,
            format!("{} is not empty and holds no local network", layout.root().display()),
        )
        .next("timecoin testnet up --dir OTHER"));
    }
    fill().inspect_err(|_| {
        // The directory was empty before, so everything in it is from this run. If something cannot be
        // deleted, the next run reports it.
        let _ = fs::remove_dir_all(layout.root());
    })
}

/// Writes the state file last: without it there is no network.
fn fill(layout: &Layout, plan: &Plan) -> Result<TestnetState, CliError> {
    let Made { chain, nodes, voting } = make(layout, plan)?;
    for (name, key) in voting {
        begin_record(&layout.data(&name), &chain.hash, key)?;
    }
    let state = TestnetState::new(chain.hash.to_string(), plan.base_port, nodes);
    write_configs(layout, &state)?;
    state.save(layout)?;
    Ok(state)
}

/// Keys, wallets and genesis.
pub(super) fn make(layout: &Layout, plan: &Plan) -> Result<Made, CliError> {
    make_dir(&layout.wallets())?;
    let names = (0..plan.validators)
        .map(|index| (format!("val{index}"), true))
        .chain((0..plan.full).map(|index| (format!("full{index}"), false)));
    let mut nodes = Vec::new();
    let mut masternodes = Vec::new();
    let mut voting = Vec::new();
    for (index, (name, votes)) in (0..).zip(names) {
        make_dir(&layout.node(&name))?;
        let key = keys::create(&layout.node_key(&name))?;
        let peer_id = timecoin_network::peer_id_of(&keys::node_identity(&key)).to_string();
        let mut consensus_key = None;
        if votes {
            let key = keys::create(&layout.consensus_key(&name))?.public_key();
            voting.push((name.clone(), key));
            let payout = make_wallet(layout, &name)?;
            masternodes.push(Masternode { key, weight: 1, payout: Lock::Key(payout) });
            consensus_key = Some(key.to_string());
        }
        let (p2p, rpc) = ports(plan.base_port, index)?;
        nodes.push(NodeEntry { name, consensus_key, peer_id, p2p, rpc, pid: None });
    }
    let chain = chain(layout, plan, masternodes)?;
    genesis_file::create(&layout.genesis(), &chain)?;
    Ok(Made { chain, nodes, voting })
}

/// Moves a stopped network to other ports.
pub(crate) fn move_ports(
    layout: &Layout,
    state: &mut TestnetState,
    base_port: u16,
) -> Result<(), CliError> {
    for (index, node) in (0..).zip(&mut state.nodes) {
        (node.p2p, node.rpc) = ports(base_port, index)?;
    }
    state.base_port = base_port;
    write_configs(layout, state)?;
    state.save(layout)
}

/// The ports of a node: for other nodes, and for RPC.
pub(super) fn ports(base: u16, index: u16) -> Result<(u16, u16), CliError> {
    let p2p = index.checked_mul(PORT_STEP).and_then(|step| base.checked_add(step));
    p2p.and_then(|p2p| Some((p2p, p2p.checked_add(1)?))).ok_or_else(|| {
        CliError::new(Exit::Usage, format!("there are not enough ports from {base} on"))
            .next("timecoin testnet up --base-port 21000")
    })
}

fn chain(
    layout: &Layout,
    plan: &Plan,
    mut masternodes: Vec<Masternode>,
) -> Result<Chain, CliError> {
    masternodes.sort_by_key(|node| node.key);
    let treasury = Lock::Key(make_wallet(layout, "treasury")?);
    let mut params = genesis_file::devnet_params(treasury);
    params.block_interval = plan.block_interval_ms.map_or(params.block_interval, Millis);
    params.min_block_spacing = plan.min_spacing_ms.map_or(params.min_block_spacing, Millis);
    let funded = Lock::Key(make_wallet(layout, FUNDED)?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = Timestamp(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    let allocations = allocations(&funded, plan.alloc_outputs);
    Chain::new(Genesis { network: Network::Dev, time, params, masternodes, allocations })
        .map_err(|error| CliError::new(Exit::Usage, error).next("timecoin testnet up --help"))
}

/// The funds in `outputs` equal coins, and one more coin with the remainder.
fn allocations(lock: &Lock, outputs: u64) -> Vec<Allocation> {
    let of = |value, outputs| Allocation { lock: lock.clone(), value: Amount(value), outputs };
    let (each, rest) = (FUNDS.0 / outputs, FUNDS.0 % outputs);
    [of(each, outputs), of(rest, 1)].into_iter().filter(|part| part.value.0 > 0).collect()
}

fn make_wallet(layout: &Layout, name: &str) -> Result<PublicKey, CliError> {
    let path = path_of(&layout.wallets(), name)?;
    Ok(WalletFile::create(&path, Network::Dev)?.key())
}

fn write_configs(layout: &Layout, state: &TestnetState) -> Result<(), CliError> {
    let address = |node: &NodeEntry| format!("/ip4/127.0.0.1/tcp/{}", node.p2p);
    for node in &state.nodes {
        let mut set = vec![
            ("genesis", Value::String("../genesis.json".into())),
            ("network.listen", Value::Array(vec![Value::String(address(node))])),
            ("network.bootstrap", bootstrap_of(node, &state.nodes, address)),
            ("network.allow_private", Value::Boolean(true)),
            ("rpc.listen", Value::String(format!("127.0.0.1:{}", node.rpc))),
        ];
        if node.consensus_key.is_some() {
            set.push(("keys.consensus_key", Value::String("consensus.key".into())));
        }
        write(&layout.config(&node.name), &config::render(&set)?)?;
    }
    Ok(())
}

/// The other masternodes: those that a node joins through.
pub(super) fn bootstrap_of(
    node: &NodeEntry,
    nodes: &[NodeEntry],
    address: impl Fn(&NodeEntry) -> String,
) -> Value {
    let others = nodes.iter().filter(|other| other.consensus_key.is_some() && *other != node);
    let texts = others.map(|other| format!("{}/p2p/{}", address(other), other.peer_id));
    Value::Array(texts.map(Value::String).collect())
}

/// Writes a file that everybody may read.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CliError> {
    durable::replace(path, text.as_bytes(), 0o644).map_err(|error| failed(path, &error))
}

fn make_dir(path: &Path) -> Result<(), CliError> {
    fs::create_dir_all(path).map_err(|error| failed(path, &error))
}

pub(super) fn failed(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Exit::Failure, format!("{}: {error}", path.display()))
        .next(format!("ls -ld {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::config::NodeConfig;

    fn plan() -> Plan {
        Plan {
            validators: 4,
            full: 1,
            base_port: 21_000,
            block_interval_ms: None,
            min_spacing_ms: Some(50),
            alloc_outputs: 3,
        }
    }

    #[test]
    fn a_network_is_made_whole() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(&dir.path().join("net"));
        let state = create(&layout, &plan()).unwrap();
        let chain = genesis_file::load_chain(&layout.genesis()).unwrap();
        assert_eq!(chain.hash.to_string(), state.genesis);
        assert_eq!(chain.supply, FUNDS);
        assert_eq!(chain.masternodes.len(), 4);
        assert_eq!(chain.params().min_block_spacing, Millis(50));
        for (index, name) in (0..).zip(["val0", "val1", "val2", "val3", "full0"]) {
            let config = NodeConfig::load(&layout.config(name), &[]).unwrap();
            assert_eq!(config.rpc.listen.port(), 21_001 + 10 * index);
            assert_eq!(config.cookie(), layout.cookie(name));
            let key = config.keys.consensus_key.map(|path| keys::load(&path).unwrap());
            let in_set = key.map(|key| chain.masternodes.index_of(&key.public_key()).is_some());
            assert_eq!(in_set, (name != "full0").then_some(true));
            keys::load(&config.keys.node_key).unwrap();
        }
        assert!(matches!(create(&layout, &plan()), Err(error) if error.exit() == Exit::Usage));
    }

    #[test]
    fn a_plan_that_cannot_be_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(&dir.path().join("net"));
        for plan in
            [Plan { base_port: 65_530, ..plan() }, Plan { min_spacing_ms: Some(5_000), ..plan() }]
        {
            assert!(matches!(create(&layout, &plan), Err(error) if error.exit() == Exit::Usage));
            assert!(!layout.root().exists());
        }
    }

    #[test]
    fn a_network_moves_to_other_ports() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(&dir.path().join("net"));
        let mut state = create(&layout, &plan()).unwrap();
        move_ports(&layout, &mut state, 22_000).unwrap();
        let config = NodeConfig::load(&layout.config("val1"), &[]).unwrap();
        assert_eq!(config.rpc.listen.port(), 22_011);
        assert!(config.network.bootstrap[0].to_string().contains("/tcp/22000/"));
        assert_eq!(TestnetState::load(&layout).unwrap(), state);
        assert!(move_ports(&layout, &mut state, u16::MAX - 30).is_err());
    }

    #[test]
    fn the_funds_are_split_without_loss() {
        let lock = Lock::Key(PublicKey([1; 32]));
        for outputs in [1, 3, 10, 7_777, 100_000] {
            let sum: u64 =
                allocations(&lock, outputs).iter().map(|part| part.value.0 * part.outputs).sum();
            assert_eq!(sum, FUNDS.0);
        }
    }
}
