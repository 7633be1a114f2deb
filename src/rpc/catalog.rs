//! Every method: name, arguments, answer. Calls and help read this.
use super::params::{Kind, Param};

/// A method.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) group: &'static str,
    pub(super) params: &'static [Param],
    pub(super) result: &'static str,
    pub(super) summary: &'static str,
}

/// The method with a name.
pub(super) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

const fn need(name: &'static str, kind: Kind, about: &'static str) -> Param {
    Param { name, kind, required: true, about }
}

const fn may(name: &'static str, kind: Kind, about: &'static str) -> Param {
    Param { name, kind, required: false, about }
}

const TXID: Param = need("txid", Kind::Hex, "The id of a transaction.");
const BLOCK: Param = need("block", Kind::Block, "Which block.");
const MAX_FEE_RATE: Param =
    may("maxfeerate", Kind::Amount, "Refuse a fee above this for 1,000 bytes. Default: any fee.");

/// All methods, by subject.
pub(super) const METHODS: &[Method] = &[
    Method {
        name: "getbestblockhash",
        group: "Chain",
        params: &[],
        result: "The hash.",
        summary: "The hash of the last final block.",
    },
    Method {
        name: "getblock",
        group: "Chain",
        params: &[
            BLOCK,
            may(
                "verbosity",
                Kind::Level,
                "0: bytes in hex. 1: header and ids. 2: with transactions. Default 1.",
            ),
        ],
        result: "A text for 0, else {hash, final, confirmations, height, version, chain, time, \
                 time_ms, proposer, round, weight, total, state_root, masternodes, merkleroot, \
                 witnesses_root, last_commit, evidence, previousblockhash, nextblockhash, size, \
                 nTx, tx}.",
        summary: "A final block.",
    },
    Method {
        name: "getblockchaininfo",
        group: "Chain",
        params: &[],
        result: "{chain, genesis, chain_id, blocks, headers, bestblockhash, time, time_ms, \
                 state_root, supply, coins, verificationprogress, initialblockdownload, \
                 size_on_disk, pruned, warnings}. headers is the greatest height proven final.",
        summary: "The state of the chain here.",
    },
    Method {
        name: "getblockcount",
        group: "Chain",
        params: &[],
        result: "A number.",
        summary: "The last final height.",
    },
    Method {
        name: "getblockhash",
        group: "Chain",
        params: &[need("height", Kind::Number, "The height; 0 is the genesis.")],
        result: "The hash.",
        summary: "The hash of the final block at a height.",
    },
    Method {
        name: "gettxout",
        group: "Chain",
        params: &[
            TXID,
            need("n", Kind::Number, "Which output, from 0."),
            may(
                "include_mempool",
                Kind::Boolean,
                "Look among waiting transactions too. Default true.",
            ),
        ],
        result: "null if it is spent or unknown, else {bestblock, confirmations, value, lock, \
                 height, position, coinbase}. What waiting transactions spend still counts as \
                 unspent.",
        summary: "An unspent output.",
    },
    Method {
        name: "listunspent",
        group: "Chain",
        params: &[
            may("minconf", Kind::Number, "Default 1."),
            may("maxconf", Kind::Number, "Default: any."),
            may("addresses", Kind::List("addresses"), "Whose coins, 1 to 1,000 addresses."),
            may(
                "after_position",
                Kind::Number,
                "Only coins after this position: the last of the page before.",
            ),
            may("limit", Kind::Number, "1 to 10,000 coins. Default 1,000."),
        ],
        result: "[{txid, vout, address, amount, lock, height, confirmations, position, \
                 spendable}] by ascending position. Fewer than limit entries: there are no more.",
        summary: "The unspent coins of addresses. Needs the address index.",
    },
    Method {
        name: "validateaddress",
        group: "Chain",
        params: &[need("address", Kind::Address, "A text.")],
        result: "{isvalid, address, lock} or {isvalid, address, error}.",
        summary: "Whether a text is an address of this network.",
    },
    Method {
        name: "getcommit",
        group: "Consensus",
        params: &[BLOCK],
        result: "{height, hash, round, weight, total, signers, missing, bitmap, signatures, \
                 hex}. signatures are in the order of signers.",
        summary: "The certificate that made a block final.",
    },
    Method {
        name: "getconsensusinfo",
        group: "Consensus",
        params: &[],
        result: "{height, round, step, proposer, masternode, locked, height_age_ms, \
                 final_height, final_hash, sync_target, syncing, online_weight, total_weight, \
                 quorum_weight, halted, signing, signing_reason, stopped, waiting_for, \
                 troubles: [{time, what}], masternodes: [{index, key, weight, proposer, prevoted, \
                 precommitted, silent_ms, online, self}]}. `signing` says whether this node's key \
                 signs, `waiting_for` which event this node waits for; `troubles` what delayed recent blocks: nil votes, later rounds, invalid \
                 blocks, skewed clocks, each with masternode and reason, the last one last.",
        summary: "The height being decided, and who has voted.",
    },
    Method {
        name: "getfinality",
        group: "Consensus",
        params: &[TXID],
        result: "{txid, state, final} with state pending, final or unknown; pending adds \
                 waiting_ms; final adds blockhash, height, index, confirmations, round, weight, \
                 total, certificate (as getcommit).",
        summary: "Whether a transaction is final, with the proof.",
    },
    Method {
        name: "listevidence",
        group: "Consensus",
        params: &[],
        result: "[{offender, key, weight, kind, height, round, text, recorded, hex}]. kind is votes, \
                 proposals or amnesia; recorded is {height, hash} of the block that holds it, or null \
                 while it waits for one.",
        summary: "Proofs that masternodes broke the rules, one for each.",
    },
    Method {
        name: "listmasternodes",
        group: "Consensus",
        params: &[],
        result: "[{index, key, weight, proposer, prevoted, precommitted, silent_ms, online, self, \
                 offence, payout, accrued}]. offence is the height that recorded one, or null.",
        summary: "The masternodes.",
    },
    Method {
        name: "help",
        group: "Control",
        params: &[may("command", Kind::Text, "A method.")],
        result: "A text.",
        summary: "All methods, or one with its arguments.",
    },
    Method {
        name: "stop",
        group: "Control",
        params: &[],
        result: "A text.",
        summary: "Stops the node gracefully.",
    },
    Method {
        name: "uptime",
        group: "Control",
        params: &[],
        result: "A number of seconds.",
        summary: "How long the node has been running.",
    },
    Method {
        name: "getmempoolentry",
        group: "Mempool",
        params: &[TXID],
        result: "{txid, wtxid, size, vsize, fee, waiting_ms, height, expiry_height}.",
        summary: "A waiting transaction.",
    },
    Method {
        name: "getmempoolinfo",
        group: "Mempool",
        params: &[],
        result: "{loaded, size, bytes, usage, total_fee, maxmempool, max_transactions, \
                 mempoolminfee, minrelaytxfee, incrementalrelayfee, min_fee_rate, \
                 unbroadcastcount, fullrbf}. Fees are for 1,000 bytes, min_fee_rate is in units \
                 for one.",
        summary: "Figures of the mempool.",
    },
    Method {
        name: "getrawmempool",
        group: "Mempool",
        params: &[
            may("verbose", Kind::Boolean, "Entries by id instead of ids. Default false."),
            may("limit", Kind::Number, "At most, and by default, 100,000 ids or 1,000 entries."),
        ],
        result: "[txid], or {txid: entry as getmempoolentry}.",
        summary: "The waiting transactions, earlier ones first.",
    },
    Method {
        name: "addnode",
        group: "Network",
        params: &[
            need("node", Kind::Text, "A multiaddress that ends with /p2p/ and the peer id."),
            need("command", Kind::Text, "onetry. To keep a node, add it to network.bootstrap."),
        ],
        result: "null when connected.",
        summary: "Connects to a node once.",
    },
    Method {
        name: "clearbanned",
        group: "Network",
        params: &[],
        result: "null.",
        summary: "Lifts all bans.",
    },
    Method {
        name: "disconnectnode",
        group: "Network",
        params: &[need("address", Kind::Text, "A peer id, or addr of getpeerinfo.")],
        result: "null.",
        summary: "Closes the connections of a peer and does not dial it for 15 s.",
    },
    Method {
        name: "getconnectioncount",
        group: "Network",
        params: &[],
        result: "A number.",
        summary: "How many peers are connected.",
    },
    Method {
        name: "getmeshbook",
        group: "Network",
        params: &[
            may("count", Kind::Number, "How many entries. At most, and by default, 1,000."),
            may("peer", Kind::Text, "Only this peer id."),
        ],
        result: "{counts: {tried, new, bootstrap, netgroups, largest: [{netgroup, peers}]}, \
                 entries: [{peer, addresses: [{address, proved}], netgroup, state, connected, \
                 bootstrap, anchor, failures, last_error, time, next_dial_ms}]}. state is tried if \
                 the peer was connected once, else new; last_error says why the last dial failed.",
        summary: "The address book: whom this node may dial, when, and why it failed.",
    },
    Method {
        name: "getmeshinfo",
        group: "Network",
        params: &[],
        result: "{external, reserved, connections: {inbound, inbound_max, outbound, outbound_max, \
                 outbound_target, outbound_netgroups, pending, pending_max, evicted}, topics: \
                 [{topic, mesh, published, received, accepted, ignored, rejected, duplicates, \
                 over_quota, dropped, bytesrecv}], lanes: [{lane, peers}], protocols: [{protocol, \
                 received, sent, failed, busy, bytesrecv, bytessent}], book, bans, refusals: \
                 [{reason, text, count, seconds_ago}], slow: {count, peer, seconds_ago}, recent: \
                 [{peer, reason, time}], loop_lag_ms, loop_lag_max_ms, memory, memory_max, \
                 open_files, open_files_max}. book is counts of getmeshbook; recent are the last 32 \
                 peers that disconnected.",
        summary: "The state of the mesh: limits, gossip, refusals, departures.",
    },
    Method {
        name: "getnettotals",
        group: "Network",
        params: &[],
        result: "{totalbytesrecv, totalbytessent, timemillis, uploadtarget: {timeframe, target, \
                 target_reached, serve_historical_blocks}}. The target is limits.upload_kib, in \
                 bytes for 1 second.",
        summary: "Bytes received and sent since the start.",
    },
    Method {
        name: "getnetworkinfo",
        group: "Network",
        params: &[],
        result: "{version, subversion, protocolversion, chain, genesis, chain_id, peer_id, \
                 listen, bootstrap, masternode, connections, connections_in, connections_out, \
                 localrelay, networkactive, timeoffset, relayfee, incrementalrelayfee, \
                 warnings}. bootstrap is ready to paste into another node's configuration.",
        summary: "This node among its peers.",
    },
    Method {
        name: "getnodeaddresses",
        group: "Network",
        params: &[
            may("count", Kind::Number, "How many. 0: at most 1,000. Default 1."),
            may("network", Kind::Text, "ipv4 or ipv6. Default: both."),
        ],
        result: "[{time, services, address, port, network}]. time is when the node was last \
                 connected or learned of.",
        summary: "IP addresses of known nodes; getmeshbook has all that is known of them.",
    },
    Method {
        name: "getpeerinfo",
        group: "Network",
        params: &[],
        result: "[{id, peer, addr, inbound, connection_type, transport, netgroup, conntime, \
                 pingtime, subver, protocol, listen, mesh, score, bytesrecv, bytessent}]. transport \
                 is tcp, quic or relayed; score is from -100 to 100.",
        summary: "The connected peers.",
    },
    Method {
        name: "listbanned",
        group: "Network",
        params: &[],
        result: "[{address, banned_until, time_remaining, reason, times}].",
        summary: "The bans in force. They survive a restart.",
    },
    Method {
        name: "setban",
        group: "Network",
        params: &[
            need("subnet", Kind::Text, "A peer id or an IP address; of IPv6 its /64."),
            need("command", Kind::Text, "add or remove."),
            may("bantime", Kind::Number, "Seconds. Default 86400."),
        ],
        result: "null.",
        summary: "Bans a peer or a host and ends its connections, or lifts a ban.",
    },
    Method {
        name: "decoderawtransaction",
        group: "Transactions",
        params: &[need("hexstring", Kind::Hex, "Canonical bytes.")],
        result: "{txid, wtxid, version, chain, size, kind, not_before, expiry_height, vin: \
                 [{txid, vout, witness}], vout: [{n, value, lock}]}.",
        summary: "What the bytes of a transaction say. Nothing is checked.",
    },
    Method {
        name: "getrawtransaction",
        group: "Transactions",
        params: &[TXID, may("verbose", Kind::Level, "Fields instead of bytes. Default false.")],
        result: "Canonical bytes in hex, or the fields of decoderawtransaction with hex, final, \
                 confirmations, and if it is final blockhash, height, index, time, blocktime, \
                 time_ms.",
        summary: "A transaction that is final or waits here.",
    },
    Method {
        name: "sendrawtransaction",
        group: "Transactions",
        params: &[need("hexstring", Kind::Hex, "Canonical bytes."), MAX_FEE_RATE],
        result: "The txid. Sending again what waits already succeeds.",
        summary: "Checks a transaction and gossips it.",
    },
    Method {
        name: "testmempoolaccept",
        group: "Transactions",
        params: &[
            need("rawtxs", Kind::List("hex"), "1 to 25 transactions, each tested by itself."),
            MAX_FEE_RATE,
        ],
        result: "[{txid, wtxid, allowed, vsize, fees: {base}} or {.., reject-reason, \
                 reject-details}].",
        summary: "Whether transactions would be accepted.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_sorted_and_named_once() {
        assert!(METHODS.is_sorted_by_key(|method| method.group));
        let mut names: Vec<_> = METHODS.iter().map(|method| method.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METHODS.len());
    }

    #[test]
    fn required_arguments_come_first() {
        for method in METHODS {
            assert!(method.params.is_sorted_by_key(|param| !param.required), "{}", method.name);
        }
    }
}
