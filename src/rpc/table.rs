//! Every method: name, arguments, answer, and what it runs. Dispatch and help read only this.
use super::{
    context::{Answer, Context},
    methods::{chain, coins, consensus, control, evidence, mempool, network, tx},
    params::{Param, Params},
};
use futures::future::BoxFuture;

/// What a call runs.
type Run = for<'a> fn(&'a Context, Params<'a>) -> BoxFuture<'a, Answer>;

/// A method.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) group: &'static str,
    pub(super) params: &'static [Param],
    pub(super) result: &'static str,
    pub(super) summary: &'static str,
    pub(super) run: Run,
}

/// The method with a name.
pub(super) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

const fn need(name: &'static str, kind: &'static str, about: &'static str) -> Param {
    Param { name, kind, required: true, about }
}

const fn may(name: &'static str, kind: &'static str, about: &'static str) -> Param {
    Param { name, kind, required: false, about }
}

const TXID: Param = need("txid", "hex", "The id of a transaction.");
const BLOCK: Param = need("block", "hash or height", "Which block.");
const MAX_FEE_RATE: Param =
    may("maxfeerate", "amount", "Refuse a fee above this for 1,000 bytes. Default: any fee.");

/// All methods, by subject.
pub(super) const METHODS: &[Method] = &[
    Method {
        name: "getbestblockhash",
        group: "Chain",
        params: &[],
        result: "The hash.",
        summary: "The hash of the last final block.",
        run: |context, params| Box::pin(chain::best_block_hash(context, params)),
    },
    Method {
        name: "getblock",
        group: "Chain",
        params: &[
            BLOCK,
            may(
                "verbosity",
                "number",
                "0: bytes in hex. 1: header and ids. 2: with transactions. Default 1.",
            ),
        ],
        result: "A text for 0, else {hash, final, confirmations, height, version, chain, time, \
                 time_ms, proposer, round, weight, total, state_root, masternodes, merkleroot, \
                 witnesses_root, last_commit, evidence, previousblockhash, nextblockhash, size, \
                 nTx, tx}.",
        summary: "A final block.",
        run: |context, params| Box::pin(chain::block(context, params)),
    },
    Method {
        name: "getblockchaininfo",
        group: "Chain",
        params: &[],
        result: "{chain, genesis, chain_id, blocks, headers, bestblockhash, time, time_ms, \
                 state_root, supply, coins, verificationprogress, initialblockdownload, \
                 size_on_disk, pruned, warnings}. headers is the greatest height proven final.",
        summary: "The state of the chain here.",
        run: |context, params| Box::pin(chain::info(context, params)),
    },
    Method {
        name: "getblockcount",
        group: "Chain",
        params: &[],
        result: "A number.",
        summary: "The last final height.",
        run: |context, params| Box::pin(chain::block_count(context, params)),
    },
    Method {
        name: "getblockhash",
        group: "Chain",
        params: &[need("height", "number", "The height; 0 is the genesis.")],
        result: "The hash.",
        summary: "The hash of the final block at a height.",
        run: |context, params| Box::pin(chain::block_hash(context, params)),
    },
    Method {
        name: "gettxout",
        group: "Chain",
        params: &[
            TXID,
            need("n", "number", "Which output, from 0."),
            may("include_mempool", "boolean", "Look among waiting transactions too. Default true."),
        ],
        result: "null where it is spent or unknown, else {bestblock, confirmations, value, lock, \
                 height, position, coinbase}. What waiting transactions spend still counts as \
                 unspent.",
        summary: "An unspent output.",
        run: |context, params| Box::pin(coins::tx_out(context, params)),
    },
    Method {
        name: "listunspent",
        group: "Chain",
        params: &[
            may("minconf", "number", "Default 1."),
            may("maxconf", "number", "Default: any."),
            may("addresses", "list of addresses", "Whose coins, 1 to 1,000 addresses."),
            may(
                "after_position",
                "number",
                "Only coins after this position: the last of the page before.",
            ),
            may("limit", "number", "1 to 10,000 coins. Default 1,000."),
        ],
        result: "[{txid, vout, address, amount, lock, height, confirmations, position, \
                 spendable}] by ascending position. Fewer than limit: there are no more.",
        summary: "The unspent coins of addresses. Needs the address index.",
        run: |context, params| Box::pin(coins::list_unspent(context, params)),
    },
    Method {
        name: "validateaddress",
        group: "Chain",
        params: &[need("address", "address", "A text.")],
        result: "{isvalid, address, lock} or {isvalid, address, error}.",
        summary: "Whether a text is an address of this network.",
        run: |context, params| Box::pin(coins::validate(context, params)),
    },
    Method {
        name: "getcommit",
        group: "Consensus",
        params: &[BLOCK],
        result: "{height, hash, round, weight, total, signers, missing, bitmap, signatures, \
                 hex}. signatures are in the order of signers.",
        summary: "The certificate that made a block final.",
        run: |context, params| Box::pin(chain::commit(context, params)),
    },
    Method {
        name: "getconsensusinfo",
        group: "Consensus",
        params: &[],
        result: "{height, round, step, proposer, masternode, locked, height_age_ms, \
                 final_height, final_hash, sync_target, syncing, online_weight, total_weight, \
                 quorum_weight, stalled, stall_reason, signing, signing_reason, halted, waiting_for, \
                 troubles: [{time, what}], masternodes: [{index, key, weight, proposer, prevoted, \
                 precommitted, silent_ms, online, self}]}. `signing` says whether this node's key \
                 signs, `waiting_for` in words what would move this node \
                 on now; `troubles` what delayed blocks of late: nil votes, later rounds, invalid \
                 blocks, skewed clocks, each with who and why, the last one last.",
        summary: "The height being decided, and who has voted.",
        run: |context, params| Box::pin(consensus::info(context, params)),
    },
    Method {
        name: "getfinality",
        group: "Consensus",
        params: &[TXID],
        result: "{txid, state, final} with state pending, final or unknown; pending adds \
                 waiting_ms; final adds blockhash, height, index, confirmations, round, weight, \
                 total, certificate (as getcommit).",
        summary: "Whether a transaction is final, with the proof.",
        run: |context, params| Box::pin(tx::finality(context, params)),
    },
    Method {
        name: "listevidence",
        group: "Consensus",
        params: &[],
        result: "[{offender, key, weight, kind, height, round, text, recorded, hex}]. kind is votes, \
                 proposals or amnesia; recorded is {height, hash} of the block that holds it, or null \
                 while it waits for one.",
        summary: "Proofs that masternodes broke the rules, one for each.",
        run: |context, params| Box::pin(evidence::list(context, params)),
    },
    Method {
        name: "listmasternodes",
        group: "Consensus",
        params: &[],
        result: "[{index, key, weight, proposer, prevoted, precommitted, silent_ms, online, self, \
                 offence, payout, accrued}]. offence is the height that recorded one, or null.",
        summary: "The masternodes.",
        run: |context, params| Box::pin(consensus::masternodes(context, params)),
    },
    Method {
        name: "help",
        group: "Control",
        params: &[may("command", "text", "A method.")],
        result: "A text.",
        summary: "All methods, or one with its arguments.",
        run: |context, params| Box::pin(control::help(context, params)),
    },
    Method {
        name: "stop",
        group: "Control",
        params: &[],
        result: "A text.",
        summary: "Stops the node gracefully.",
        run: |context, params| Box::pin(control::stop(context, params)),
    },
    Method {
        name: "uptime",
        group: "Control",
        params: &[],
        result: "A number of seconds.",
        summary: "How long the node has been running.",
        run: |context, params| Box::pin(control::uptime(context, params)),
    },
    Method {
        name: "getmempoolentry",
        group: "Mempool",
        params: &[TXID],
        result: "{txid, wtxid, size, vsize, fee, waiting_ms, height, expiry_height}.",
        summary: "A waiting transaction.",
        run: |context, params| Box::pin(mempool::entry(context, params)),
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
        run: |context, params| Box::pin(mempool::info(context, params)),
    },
    Method {
        name: "getrawmempool",
        group: "Mempool",
        params: &[
            may("verbose", "boolean", "Entries by id instead of ids. Default false."),
            may("limit", "number", "At most, and by default, 100,000 ids or 1,000 entries."),
        ],
        result: "[txid], or {txid: entry as getmempoolentry}.",
        summary: "The waiting transactions, earlier ones first.",
        run: |context, params| Box::pin(mempool::list(context, params)),
    },
    Method {
        name: "getconnectioncount",
        group: "Network",
        params: &[],
        result: "A number.",
        summary: "How many peers are connected.",
        run: |context, params| Box::pin(network::connection_count(context, params)),
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
        run: |context, params| Box::pin(network::info(context, params)),
    },
    Method {
        name: "getpeerinfo",
        group: "Network",
        params: &[],
        result: "[{id, peer, addr, inbound, conntime, pingtime, subver, protocol, listen, mesh, \
                 bytesrecv, bytessent}].",
        summary: "The connected peers.",
        run: |context, params| Box::pin(network::peers(context, params)),
    },
    Method {
        name: "decoderawtransaction",
        group: "Transactions",
        params: &[need("hexstring", "hex", "Canonical bytes.")],
        result: "{txid, wtxid, version, chain, size, kind, not_before, expiry_height, vin: \
                 [{txid, vout, witness}], vout: [{n, value, lock}]}.",
        summary: "What the bytes of a transaction say. Nothing is checked.",
        run: |context, params| Box::pin(tx::decode(context, params)),
    },
    Method {
        name: "getrawtransaction",
        group: "Transactions",
        params: &[
            TXID,
            may("verbose", "boolean or number", "Fields instead of bytes. Default false."),
        ],
        result: "Canonical bytes in hex, or the fields of decoderawtransaction with hex, final, \
                 confirmations, and where it is final blockhash, height, index, time, blocktime, \
                 time_ms.",
        summary: "A transaction that is final or waits here.",
        run: |context, params| Box::pin(tx::raw(context, params)),
    },
    Method {
        name: "sendrawtransaction",
        group: "Transactions",
        params: &[need("hexstring", "hex", "Canonical bytes."), MAX_FEE_RATE],
        result: "The txid. Sending again what waits already succeeds.",
        summary: "Checks a transaction and gossips it.",
        run: |context, params| Box::pin(tx::send(context, params)),
    },
    Method {
        name: "testmempoolaccept",
        group: "Transactions",
        params: &[
            need("rawtxs", "list of hex", "1 to 25 transactions, each tested by itself."),
            MAX_FEE_RATE,
        ],
        result: "[{txid, wtxid, allowed, vsize, fees: {base}} or {.., reject-reason, \
                 reject-details}].",
        summary: "Whether transactions would be accepted.",
        run: |context, params| Box::pin(tx::test(context, params)),
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
