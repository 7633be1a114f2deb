//! A network: its genesis, and the directories of its nodes.
use crate::{
    ground::Ground,
    host::Host,
    node::{Node, Program, listen_of, rpc_of},
    outcome::{Outcome, failed, need},
    process,
};
use std::{
    fs,
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use timecoin::{config, genesis_file, keys};
use timecoin_chain::{
    crypto::{SecretKey, Signer},
    genesis::{Allocation, Chain, Genesis, Network},
    types::{Amount, Lock, Masternode, Timestamp},
};
use toml::Value;

/// Nodes that others join through.
pub(crate) const BOOTSTRAPS: usize = 2;

/// How long the nodes of a new network may take to connect and to make a block.
const MESHED_WITHIN: Duration = Duration::from_secs(90);

/// What a network is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) masternodes: usize,
    pub(crate) full: usize,
    /// Coins that the test may spend.
    pub(crate) coins: u64,
}

/// A network; masternodes are the first nodes.
pub(crate) struct Net<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) program: &'a Program,
    pub(crate) chain: Chain,
    pub(crate) nodes: Vec<Node>,
    /// Spends the coins.
    pub(crate) purse: SecretKey,
    dir: PathBuf,
    hosts: u8,
    _files: tempfile::TempDir,
}

impl<'a> Net<'a> {
    /// Makes the network. Nothing runs yet.
    pub(crate) fn new(ground: &'a Ground, program: &'a Program, shape: Shape) -> Outcome<Self> {
        let files = process::directory()?;
        let dir = files.path().to_owned();
        let (mut voting, mut masternodes) = (Vec::new(), Vec::new());
        for number in 0..shape.masternodes {
            let name = format!("val{number}");
            fs::create_dir(dir.join(&name))?;
            let key = keys::create(&dir.join(&name).join("consensus.key"))?.public_key();
            masternodes.push(Masternode { key, weight: 1, payout: Lock::Key(key) });
            voting.push((name, key));
        }
        masternodes.sort_by_key(|node| node.key);
        let purse = keys::random()?;
        let chain = chain(masternodes, Lock::Key(purse.public_key()), shape.coins)?;
        genesis_file::create(&dir.join("genesis.json"), &chain)?;
        for (name, key) in &voting {
            keys::begin_record(&dir.join(name).join("data"), &chain.hash, *key)?;
        }
        let (nodes, hosts) = (Vec::new(), 0);
        let mut net = Net { ground, program, chain, nodes, purse, dir, hosts, _files: files };
        for (name, _) in &voting {
            let host = net.new_host()?;
            net.add(name, host, true)?;
        }
        for number in 0..shape.full {
            net.add_full(&format!("full{number}"))?;
        }
        net.configure_all()?;
        Ok(net)
    }

    /// The tag of the chain in protocols and topics.
    pub(crate) fn tag(&self) -> String {
        format!("tc-{}", self.chain.id())
    }

    /// A host in a netgroup of its own, IPv4 and IPv6.
    pub(crate) fn new_host(&mut self) -> Outcome<Arc<Host>> {
        self.hosts += 1;
        let four = IpAddr::from([20, self.hosts, 7, 1]);
        let six = IpAddr::from([0x2a00, u16::from(self.hosts), 0, 0, 0, 0, 0, 1]);
        Ok(Arc::new(self.ground.host(&[four, six])?))
    }

    /// A full node on a host of its own; its place among the nodes. It has no configuration yet.
    pub(crate) fn add_full(&mut self, name: &str) -> Outcome<usize> {
        let host = self.new_host()?;
        self.add(name, host, false)
    }

    fn add(&mut self, name: &str, host: Arc<Host>, votes: bool) -> Outcome<usize> {
        let dir = self.dir.join(name);
        fs::create_dir_all(&dir)?;
        let key = keys::create(&dir.join("node.key"))?;
        let peer_id = timecoin_network::peer_id_of(&keys::node_identity(&key)).to_string();
        self.nodes.push(Node::new(name, &dir, host, peer_id, votes));
        Ok(self.nodes.len() - 1)
    }

    /// All join through the first full nodes.
    fn configure_all(&self) -> Outcome<()> {
        for (number, node) in self.nodes.iter().enumerate() {
            let full = self.nodes.iter().filter(|other| !other.is_masternode);
            let others = full.filter(|other| other.name != node.name);
            let joins: Vec<String> = others.take(BOOTSTRAPS).map(|other| other.address()).collect();
            self.configure(number, &joins, &[])?;
        }
        Ok(())
    }

    /// Writes a node's configuration.
    pub(crate) fn configure(
        &self,
        number: usize,
        bootstrap: &[String],
        more: &[(&str, Value)],
    ) -> Outcome<()> {
        let node = self.node(number)?;
        let list =
            |texts: &[String]| Value::Array(texts.iter().cloned().map(Value::from).collect());
        let mut set = vec![
            ("genesis", Value::from("../genesis.json")),
            ("network.listen", list(&listen_of(&node.host))),
            ("network.bootstrap", list(bootstrap)),
            ("network.allow_private", Value::from(!self.ground.has_namespaces())),
            ("rpc.listen", Value::from(rpc_of(&node.host).to_string())),
        ];
        if node.is_masternode {
            set.push(("keys.consensus_key", Value::from("consensus.key")));
        }
        set.extend(more.iter().map(|(key, value)| (*key, value.clone())));
        fs::write(node.dir().join("config.toml"), config::render(&set)?)?;
        Ok(())
    }

    pub(crate) fn node(&self, number: usize) -> Outcome<&Node> {
        self.nodes.get(number).ok_or_else(|| failed(format!("there is no node {number}")))
    }

    /// Starts these nodes, and waits until they answer.
    pub(crate) fn start(
        &mut self,
        numbers: impl IntoIterator<Item = usize> + Clone,
    ) -> Outcome<()> {
        for number in numbers.clone() {
            self.nodes[number].start(self.program)?;
        }
        numbers.into_iter().try_for_each(|number| self.nodes[number].is_up())
    }

    /// Starts all nodes and waits until each has this many peers and a block.
    pub(crate) fn start_all(&mut self, peers: usize) -> Outcome<()> {
        self.start(0..self.nodes.len())?;
        for node in &self.nodes {
            let is_in = || {
                let there = node.peers().ok()?.len();
                (there >= peers && node.height().ok()? >= 1).then_some(())
            };
            need("the mesh begins", MESHED_WITHIN, is_in).map_err(|error| {
                let there = node.peers().map(|peers| peers.len()).unwrap_or_default();
                let height = node.height().unwrap_or_default();
                failed(format!("{error}: {} has {there} peers and height {height}", node.name))
            })?;
        }
        Ok(())
    }
}

fn chain(masternodes: Vec<Masternode>, purse: Lock, outputs: u64) -> Outcome<Chain> {
    let params = genesis_file::devnet_params(purse.clone());
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let time = Timestamp(u64::try_from(now)?);
    let allocations =
        vec![Allocation { lock: purse, value: Amount::from_time(1), outputs: outputs.max(1) }];
    Ok(Chain::new(Genesis { network: Network::Dev, time, params, masternodes, allocations })?)
}
