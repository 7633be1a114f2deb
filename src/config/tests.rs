//! The source of each setting, and the errors for wrong ones.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use super::*;
use timecoin_chain::{
    crypto::PublicKey,
    genesis::{Chain, Genesis},
    types::{Lock, Masternode, Timestamp},
};

struct NodeDir(tempfile::TempDir);

impl NodeDir {
    fn new() -> Self {
        Self::of(Network::Dev)
    }

    fn of(network: Network) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::Key(PublicKey([1; 32]));
        let genesis = Genesis {
            network,
            time: Timestamp(1),
            params: genesis_file::devnet_params(lock.clone()),
            masternodes: vec![Masternode { key: PublicKey([1; 32]), weight: 1, payout: lock }],
            allocations: vec![],
        };
        let chain = Chain::new(genesis).unwrap();
        genesis_file::create(&dir.path().join("genesis.json"), &chain).unwrap();
        Self(dir)
    }

    fn resolve(
        &self,
        text: &str,
        environment: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Result<NodeConfig, ConfigError> {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect::<Vec<_>>()
        };
        let file = self.0.path().join("config.toml");
        NodeConfig::resolve(Layers::new(&file, text, owned(environment), &owned(flags))?)
    }
}

#[test]
fn the_defaults_follow_the_network_of_the_genesis() {
    let place = NodeDir::new();
    let config = place.resolve("", &[], &[]).unwrap();
    assert_eq!(config.kind, Network::Dev);
    assert_eq!(config.rpc.listen.to_string(), "127.0.0.1:24201");
    let listen: Vec<String> = config.network.listen.iter().map(ToString::to_string).collect();
    let all = ["/ip4/0.0.0.0/tcp/24200", "/ip4/0.0.0.0/udp/24200/quic-v1"];
    assert_eq!(listen[..2], all);
    assert_eq!(listen[2..], all.map(|address| address.replace("/ip4/0.0.0.0", "/ip6/::")));
    assert_eq!(config.data_dir, place.0.path().join("data"));
    assert_eq!(config.keys.consensus_key, None);
    assert_eq!(config.mempool, MempoolSection { bytes_mb: 300, transactions: 100_000 });
    assert_eq!((config.store.cache_mb, config.store.address_index), (64, true));
    let log = LogSection {
        filter: "info".into(),
        format: LogFormat::Human,
        file: None,
        file_bytes: 100 * 1024 * 1024,
        files: 5,
    };
    assert_eq!(config.log, log);
}

#[test]
fn only_a_dev_network_begins_a_record_for_a_key_that_may_have_signed() {
    let begins = "[keys]\nbegin_record = true";
    assert!(!NodeDir::new().resolve("", &[], &[]).unwrap().keys.begin_record);
    assert!(NodeDir::new().resolve(begins, &[], &[]).unwrap().keys.begin_record);
    let error = NodeDir::of(Network::Test).resolve(begins, &[], &[]).unwrap_err().to_string();
    assert!(error.contains("keys.begin_record") && error.contains("dev network"), "{error}");
    NodeDir::of(Network::Test).resolve("", &[], &[]).unwrap();
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let place = NodeDir::new();
    let file = "[store]\ncache_mb = 1\n";
    let environment = [("TIMECOIN_STORE__CACHE_MB", "2")];
    let flags = [("store.cache_mb", "3")];
    let cache = |config: Result<NodeConfig, ConfigError>| config.unwrap().store.cache_mb;
    assert_eq!(cache(place.resolve("", &[], &[])), 64);
    assert_eq!(cache(place.resolve(file, &[], &[])), 1);
    assert_eq!(cache(place.resolve(file, &environment, &[])), 2);
    assert_eq!(cache(place.resolve(file, &environment, &flags)), 3);
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_what_it_may_have_meant() {
    let place = NodeDir::new();
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, Pairs<'_>, Pairs<'_>, &str, &str); 6] = [
        ("[rpc]\nlisten_on = \"x\"", &[], &[], "`rpc.listen_on` in", "`rpc.listen`?"),
        ("[mempol]\nbytes_mb = 1", &[], &[], "`mempol` in", ""),
        ("cache_mb = 1", &[], &[], "`cache_mb` in", "`store.cache_mb`?"),
        ("[rpc.listen]\nport = 1", &[], &[], "`rpc.listen` in", ""),
        ("", &[("TIMECOIN_RPC__PROT", "1")], &[], "variable TIMECOIN_RPC__PROT", ""),
        ("", &[], &[("log.fliter", "x")], "the command line", "`log.filter`?"),
    ];
    for (text, environment, flags, key, near) in cases {
        let error = place.resolve(text, environment, flags).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains(near), "{error}");
    }
}

#[test]
fn a_variable_that_only_looks_like_ours_is_left_alone() {
    let place = NodeDir::new();
    let environment = [("TIMECOIN_SERVICE_HOST", "10.0.0.1"), ("TIMECOIN_PORT_24001_TCP", "x")];
    assert!(place.resolve("", &environment, &[]).is_ok());
}

#[test]
fn a_wrong_value_is_named_with_its_place() {
    let place = NodeDir::new();
    let cases = [
        ("[rpc]\nlisten = \"24001\"", "rpc.listen"),
        ("[rpc]\nenabled = \"yes\"", "rpc.enabled"),
        ("[network]\nlisten = [\"127.0.0.1:1\"]", "network.listen"),
        ("[store]\ncache_mb = 0", "store.cache_mb"),
        ("[limits]\npeers = -1", "limits.peers"),
        ("[limits]\nmemory_mib = \"2 GiB\"", "limits.memory_mib"),
        ("[log]\nformat = \"xml\"", "log.format"),
        ("genesis = \"none.json\"", "none.json"),
        ("[rpc", "config.toml"),
    ];
    for (text, expected) in cases {
        let error = place.resolve(text, &[], &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} lacks {expected}");
    }
}

#[test]
fn lists_come_from_variables_with_commas_or_as_toml() {
    let place = NodeDir::new();
    for text in [
        "/ip4/0.0.0.0/tcp/1, /ip4/0.0.0.0/tcp/2",
        "[\"/ip4/0.0.0.0/tcp/1\",\"/ip4/0.0.0.0/tcp/2\"]",
    ] {
        let config = place.resolve("", &[("TIMECOIN_NETWORK__LISTEN", text)], &[]).unwrap();
        assert_eq!(config.network.listen.len(), 2);
    }
}

#[test]
fn the_rendered_file_sets_what_it_is_told_and_shows_the_rest() {
    let place = NodeDir::new();
    let listen = toml::Value::String("127.0.0.1:5".into());
    let text = render(&[("rpc.listen", listen)]).unwrap();
    let config = place.resolve(&text, &[], &[]).unwrap();
    assert_eq!(config.rpc.listen.port(), 5);
    assert!(text.contains("\n# cache_mb = 64\n"), "{text}");
    let all = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => rest,
        _ => line,
    });
    let all: Vec<&str> = all.collect();
    place.resolve(&all.join("\n"), &[], &[]).unwrap();
    assert!(render(&[("rpc.port", toml::Value::Integer(1))]).is_err());
}

#[test]
fn memory_is_limited_by_default_and_not_at_all_by_0() {
    let place = NodeDir::new();
    let limit = |text: &str| place.resolve(text, &[], &[]).unwrap().limits.memory_bytes;
    assert_eq!(limit("[limits]\nmemory_mib = 300\n"), 300 * 1024 * 1024);
    assert_eq!(limit("[limits]\nmemory_mib = 0\n"), 0);
    assert_eq!(limit(""), memory::default_limit());
}
