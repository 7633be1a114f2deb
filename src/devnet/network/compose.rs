//! A network of containers: the files of a new network and the Compose file that runs it. `docs/compose.md` says how to
//! use them.
//!
//! The Compose file holds nothing secret and nothing of one network: it depends on the plan only. Keys and configurations
//! are in `net/` next to it, and the project's name and the containers' user in `.env`. Databases are in named volumes.
//!
//! Never talks to a container engine.
use super::{
    create::{self, Made, Plan, bootstrap_of, failed, write},
    layout::Layout,
};
use crate::{
    config::{self, default_ports},
    terminal::{CliError, Exit},
};
use std::{
    fmt::Write as _,
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
};
use timecoin_chain::genesis::Network;
use toml::Value;

/// The user of the image, and the group that may write its `/data` (docker/Dockerfile).
const IMAGE_USER: u32 = 65_532;
/// The first line of the `.env` files that this module may replace.
const ENV_HEAD: &str = "# Written by `timecoin testnet init --compose`.";

/// The network's own files.
fn layout_in(dir: &Path) -> Layout {
    Layout::new(&dir.join("net"))
}

/// Makes keys, wallets, genesis, configurations and the Compose file in a directory; returns the genesis hash.
pub(crate) fn create(dir: &Path, plan: &Plan) -> Result<String, CliError> {
    let layout = layout_in(dir);
    let text = render(plan)?;
    let (file, env) = (Layout::new(dir).compose(), dir.join(".env"));
    check_replaceable(&file, |there| there == text)?;
    check_replaceable(&env, |there| there.starts_with(ENV_HEAD))?;
    create::whole_or_nothing(&layout, || {
        let made = create::make(&layout, plan)?;
        write_configs(&layout, &made)?;
        let user = hand_over(layout.root())?;
        let genesis = made.chain.hash.to_string();
        let name = genesis.get(..8).unwrap_or_default();
        write(
            &env,
            &format!("{ENV_HEAD}\nCOMPOSE_PROJECT_NAME=timecoin-{name}\nTIMECOIN_USER={user}\n"),
        )?;
        write(&file, &text)?;
        Ok(genesis)
    })
}

/// A file that somebody else wrote is kept.
fn check_replaceable(path: &Path, is_ours: impl Fn(&str) -> bool) -> Result<(), CliError> {
    match fs::read_to_string(path) {
        Ok(there) if is_ours(&there) => Ok(()),
        Ok(_) => {
            let what = format!("{} exists and would be overwritten", path.display());
            Err(CliError::new(Exit::Usage, what)
                .next("timecoin testnet init --compose --dir OTHER"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(path, &error)),
    }
}

fn write_configs(layout: &Layout, made: &Made) -> Result<(), CliError> {
    let (p2p, rpc) = default_ports(Network::Dev);
    for node in &made.nodes {
        let text = |text: &str| Value::String(text.into());
        let address = |node: &super::NodeEntry| format!("/dns4/{}/tcp/{p2p}", node.name);
        let mut set = vec![
            ("data_dir", text("/data")),
            ("genesis", text("genesis.json")),
            ("network.bootstrap", bootstrap_of(node, &made.nodes, address)),
            ("network.allow_private", Value::Boolean(true)),
            ("network.upnp", Value::Boolean(false)),
            ("rpc.listen", text(&format!("0.0.0.0:{rpc}"))),
            ("rpc.allowed_hosts", Value::Array(vec![text(&node.name)])),
            ("keys.node_key", text("/run/secrets/node.key")),
        ];
        if node.consensus_key.is_some() {
            set.push(("keys.consensus_key", text("/run/secrets/consensus.key")));
            set.push(("keys.begin_record", Value::Boolean(true)));
        }
        write(&layout.config(&node.name), &config::render(&set)?)?;
    }
    Ok(())
}

/// The user and group under which containers read the secrets: whoever made them, or the image's user if that is root.
fn hand_over(root: &Path) -> Result<String, CliError> {
    let owner = fs::metadata(root).map_err(|error| failed(root, &error))?.uid();
    if owner != 0 {
        return Ok(format!("{owner}:{IMAGE_USER}"));
    }
    give(root)?;
    Ok(format!("{IMAGE_USER}:{IMAGE_USER}"))
}

fn give(path: &Path) -> Result<(), CliError> {
    let given = chown(path, Some(IMAGE_USER), Some(IMAGE_USER));
    given.map_err(|error| failed(path, &error))?;
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| failed(path, &error))? {
            give(&entry.map_err(|error| failed(path, &error))?.path())?;
        }
    }
    Ok(())
}

/// The Compose file of a plan.
fn render(plan: &Plan) -> Result<String, CliError> {
    let masternodes: Vec<String> = (0..plan.validators).map(|n| format!("val{n}")).collect();
    let full: Vec<String> = (0..plan.full).map(|n| format!("full{n}")).collect();
    // The wallets belong to one node, which commands are run in.
    let desk = full.first().or(masternodes.first()).map_or("val0", String::as_str);
    let mut text = String::from(HEAD);
    let mut secrets = String::from("\nsecrets:\n");
    let mut volumes = String::from("\nvolumes:\n");
    for (index, name) in (0..).zip(masternodes.iter().chain(&full)) {
        let (_, port) = create::ports(plan.base_port, index)?;
        let keys: &[&str] =
            if masternodes.contains(name) { &["node", "consensus"] } else { &["node"] };
        let _ = write!(text, "  {name}:\n    <<: *node\n    ports: [\"127.0.0.1:{port}:24201\"]\n");
        let _ = writeln!(text, "    secrets:");
        for key in keys {
            let secret = format!("{name}_{key}_key");
            let _ = writeln!(text, "      - {{source: {secret}, target: {key}.key}}");
            let _ = writeln!(secrets, "  {secret}: {{file: ./net/{name}/{key}.key}}");
        }
        let _ = writeln!(text, "    volumes:\n{}", mounts(name, name == desk));
        let _ = writeln!(volumes, "  {name}:");
    }
    text.push_str(&load(desk));
    text.push_str(MONITORING);
    volumes.push_str("  prometheus:\n  grafana:\n");
    Ok(text + &secrets + &volumes)
}

/// Lines of `volumes:` of a node.
fn mounts(name: &str, has_wallets: bool) -> String {
    let mut text = format!(
        "      - {name}:/data\n      - ./net/genesis.json:/config/genesis.json:ro\n      \
         - ./net/{name}/config.toml:/config/config.toml:ro\n"
    );
    if has_wallets {
        text.push_str("      - ./net/wallets:/config/wallets\n");
    }
    text
}

/// The service that pays steadily, in the network namespace of the node whose cookie it reads.
fn load(desk: &str) -> String {
    format!(
        "  # Pays steadily: docker compose --profile load up -d\n  load:\n    <<: *node\n    profiles: [load]\n    \
         network_mode: service:{desk}\n    depends_on: {{{desk}: {{condition: service_healthy}}}}\n    \
         command: [wallet, send, --from, alice, --to, treasury, \"0.01\", --yes, --wait, --every, \"1\"]\n    \
         healthcheck: {{disable: true}}\n    volumes:\n{}\n",
        mounts(desk, true).replace(":/data\n", ":/data:ro\n")
    )
}

const HEAD: &str = r#"# A network of TimeCoin nodes. Written by `timecoin testnet init --compose`, which also makes the keys and configurations
# in ./net and the settings in ./.env. docs/compose.md says how to use it.
x-node: &node
  image: ${TIMECOIN_IMAGE:-timecoin}
  pull_policy: never
  user: ${TIMECOIN_USER:-65532:65532}
  command: [start]
  environment: {TIMECOIN_CONFIG: /config/config.toml}
  restart: unless-stopped
  stop_grace_period: 30s
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  healthcheck: {test: [CMD, /timecoin, health], interval: 5s, timeout: 5s, start_period: 30s, retries: 3}
  logging: {driver: json-file, options: {max-size: 10m, max-file: "3"}}

services:
"#;

const MONITORING: &str = r#"  # docker compose --profile monitoring up -d; the configurations are in the repository's docker/.
  prometheus:
    image: prom/prometheus:v3.5.0
    profiles: [monitoring]
    restart: unless-stopped
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    ports: ["127.0.0.1:9090:9090"]
    volumes:
      - ${TIMECOIN_MONITORING:-.}/prometheus:/etc/prometheus:ro
      - prometheus:/prometheus

  alertmanager:
    image: prom/alertmanager:v0.28.1
    profiles: [monitoring]
    restart: unless-stopped
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    ports: ["127.0.0.1:9093:9093"]
    volumes:
      - ${TIMECOIN_MONITORING:-.}/alertmanager:/etc/alertmanager:ro

  grafana:
    image: grafana/grafana:12.1.0
    profiles: [monitoring]
    restart: unless-stopped
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    ports: ["127.0.0.1:3000:3000"]
    volumes:
      - ${TIMECOIN_MONITORING:-.}/grafana/provisioning:/etc/grafana/provisioning:ro
      - ${TIMECOIN_MONITORING:-.}/grafana/dashboards:/var/lib/grafana/dashboards:ro
      - grafana:/var/lib/grafana
"#;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::{genesis_file, keys};

    fn plan(validators: u16, full: u16) -> Plan {
        Plan {
            validators,
            full,
            base_port: 21_000,
            block_interval_ms: None,
            min_spacing_ms: None,
            alloc_outputs: 10,
        }
    }

    #[test]
    fn the_compose_file_of_this_repository_is_the_one_of_four_masternodes_and_a_full_node() {
        let there = include_str!("../../../docker/compose.yml");
        let text = render(&plan(4, 1)).unwrap();
        assert_eq!(
            there, text,
            "timecoin testnet init --compose --dir NEW; cp NEW/compose.yml docker/"
        );
    }

    #[test]
    fn a_network_of_containers_is_made_once_and_again_after_it_was_removed() {
        let dir = tempfile::tempdir().unwrap();
        let genesis = create(dir.path(), &plan(2, 0)).unwrap();
        let layout = layout_in(dir.path());
        let chain = genesis_file::load_chain(&layout.genesis()).unwrap();
        assert_eq!((chain.hash.to_string(), chain.masternodes.len()), (genesis.clone(), 2));
        for name in ["val0", "val1"] {
            let key = keys::load(&layout.consensus_key(name)).unwrap();
            use timecoin_chain::crypto::Signer;
            assert!(chain.masternodes.index_of(&key.public_key()).is_some());
        }
        let config = fs::read_to_string(layout.config("val0")).unwrap();
        assert!(config.contains("bootstrap = [\"/dns4/val1/tcp/24200/p2p/12D3"), "{config}");
        let env = fs::read_to_string(dir.path().join(".env")).unwrap();
        assert!(env.contains(&format!("=timecoin-{}\n", &genesis[..8])), "{env}");
        let owner = fs::metadata(layout.node_key("val0")).unwrap().uid();
        assert!(env.contains(&format!("TIMECOIN_USER={owner}:65532\n")), "{env}");

        let again = create(dir.path(), &plan(2, 0)).unwrap_err();
        assert!(again.to_string().contains("is not empty"), "{again}");
        fs::remove_dir_all(layout.root()).unwrap();
        assert_ne!(create(dir.path(), &plan(2, 0)).unwrap(), genesis);
    }

    #[test]
    fn files_of_others_are_kept() {
        for name in ["compose.yml", ".env"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(name), "mine").unwrap();
            let error = create(dir.path(), &plan(1, 1)).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{error}");
        }
    }
}
