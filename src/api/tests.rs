//! Pins the JSON of every request and result: other programs rely on it.
mod mesh;

use super::*;
use serde_json::Value;
use timecoin_chain::types::Amount;

/// Asserts that an answer of a method is written as this text and reads back.
fn frozen<A: Ask>(answer: &A::Answer, text: &str)
where
    A::Answer: PartialEq + std::fmt::Debug,
{
    let written = serde_json::to_string(answer).expect("JSON");
    assert_eq!(written, text, "{}", A::METHOD);
    let read: A::Answer = serde_json::from_str(text).expect(A::METHOD);
    assert_eq!(&read, answer, "{}", A::METHOD);
}

fn key_lock() -> LockView {
    LockView::Key { address: "dtime1x".into(), key: "07".into() }
}

const KEY_LOCK: &str = r#"{"type":"key","address":"dtime1x","key":"07"}"#;

fn transaction() -> TransactionView {
    let witness = Some(WitnessView::Key { signature: "5a".into() });
    TransactionView {
        txid: "aa".into(),
        wtxid: "bb".into(),
        version: 1,
        chain: "01020304".into(),
        size: 200,
        kind: "transfer".into(),
        not_before: 0,
        expiry_height: 99,
        vin: vec![InputView { txid: "cc".into(), vout: 3, witness }],
        vout: vec![OutputView {
            n: 0,
            value: JsonAmount(Amount(9_007_199_254_740_993)),
            lock: key_lock(),
        }],
    }
}

/// Without the braces.
fn transaction_text() -> String {
    format!(
        r#""txid":"aa","wtxid":"bb","version":1,"chain":"01020304","size":200,"kind":"transfer","not_before":0,"expiry_height":99,"vin":[{{"txid":"cc","vout":3,"witness":{{"type":"key","signature":"5a"}}}}],"vout":[{{"n":0,"value":90071992.54740993,"lock":{KEY_LOCK}}}]"#
    )
}

fn commit() -> CommitView {
    CommitView {
        height: 7,
        hash: Some("dd".into()),
        round: 1,
        weight: 3,
        total: 4,
        signers: vec![0, 1, 2],
        missing: vec![3],
        bitmap: "07".into(),
        signatures: vec!["5a".into()],
        hex: "00".into(),
    }
}

const COMMIT: &str = r#"{"height":7,"hash":"dd","round":1,"weight":3,"total":4,"signers":[0,1,2],"missing":[3],"bitmap":"07","signatures":["5a"],"hex":"00"}"#;

fn voter() -> Voter {
    Voter {
        index: 1,
        key: "0101".into(),
        weight: 10,
        proposer: true,
        prevoted: true,
        precommitted: false,
        silent_ms: Some(12),
        online: true,
        is_self: false,
        offence: None,
    }
}

const VOTER: &str = r#""index":1,"key":"0101","weight":10,"proposer":true,"prevoted":true,"precommitted":false,"silent_ms":12,"online":true,"self":false,"offence":null"#;

fn block(tx: Transactions) -> BlockAnswer {
    BlockAnswer::Block(Box::new(BlockView {
        hash: "dd".into(),
        is_final: true,
        confirmations: 2,
        height: 7,
        version: 1,
        chain: "01020304".into(),
        time: 5,
        time_ms: 5_123,
        proposer: 2,
        round: 1,
        weight: 3,
        total: 4,
        state_root: "s".into(),
        masternodes: "m".into(),
        merkleroot: "t".into(),
        witnesses_root: "w".into(),
        last_commit: "l".into(),
        evidence: "e".into(),
        previousblockhash: "p".into(),
        nextblockhash: None,
        size: 300,
        transactions: 1,
        tx,
    }))
}

#[test]
fn answers_about_the_chain() {
    frozen::<GetBestBlockHash>(&"dd".into(), r#""dd""#);
    frozen::<GetBlockHash>(&"dd".into(), r#""dd""#);
    frozen::<GetBlockCount>(&7, "7");
    frozen::<GetBlockchainInfo>(
        &ChainInfo {
            chain: "dev".into(),
            genesis: "ge".into(),
            chain_id: "01020304".into(),
            blocks: 3,
            headers: 4,
            bestblockhash: "dd".into(),
            time: 5,
            time_ms: 5_123,
            state_root: "s".into(),
            supply: JsonAmount(Amount(150_000_000)),
            coins: Some(8),
            verificationprogress: 0.75,
            initialblockdownload: true,
            size_on_disk: 4_096,
            pruned: false,
            warnings: vec!["w".into()],
        },
        r#"{"chain":"dev","genesis":"ge","chain_id":"01020304","blocks":3,"headers":4,"bestblockhash":"dd","time":5,"time_ms":5123,"state_root":"s","supply":1.50000000,"coins":8,"verificationprogress":0.75,"initialblockdownload":true,"size_on_disk":4096,"pruned":false,"warnings":["w"]}"#,
    );
    frozen::<GetCommit>(&commit(), COMMIT);
}

#[test]
fn answers_about_a_block() {
    let head = r#"{"hash":"dd","final":true,"confirmations":2,"height":7,"version":1,"chain":"01020304","time":5,"time_ms":5123,"proposer":2,"round":1,"weight":3,"total":4,"state_root":"s","masternodes":"m","merkleroot":"t","witnesses_root":"w","last_commit":"l","evidence":"e","previousblockhash":"p","nextblockhash":null,"size":300,"nTx":1,"tx":"#;
    frozen::<GetBlock>(&BlockAnswer::Hex("00ff".into()), r#""00ff""#);
    let ids = Transactions::Ids(vec!["aa".into()]);
    frozen::<GetBlock>(&block(ids), &format!(r#"{head}["aa"]}}"#));
    let whole = Transactions::Whole(vec![transaction()]);
    frozen::<GetBlock>(&block(whole), &format!("{head}[{{{}}}]}}", transaction_text()));
}

#[test]
fn answers_about_coins() {
    frozen::<GetTxOut>(&None, "null");
    frozen::<GetTxOut>(
        &Some(TxOut {
            bestblock: "dd".into(),
            confirmations: 1,
            value: JsonAmount(Amount(1)),
            lock: LockView::Timelock { height: 9, key: "07".into() },
            height: Some(7),
            position: Some(11),
            coinbase: true,
        }),
        r#"{"bestblock":"dd","confirmations":1,"value":0.00000001,"lock":{"type":"timelock","height":9,"key":"07"},"height":7,"position":11,"coinbase":true}"#,
    );
    frozen::<ListUnspent>(
        &vec![Unspent {
            txid: "aa".into(),
            vout: 1,
            address: None,
            amount: JsonAmount(Amount(u64::MAX)),
            lock: LockView::Multi { threshold: 2, keys: vec!["07".into(), "08".into()] },
            height: 7,
            confirmations: 1,
            position: 11,
            spendable: true,
        }],
        r#"[{"txid":"aa","vout":1,"address":null,"amount":184467440737.09551615,"lock":{"type":"multi","threshold":2,"keys":["07","08"]},"height":7,"confirmations":1,"position":11,"spendable":true}]"#,
    );
    let (address, error) = ("dtime1x".to_owned(), Some("bad".to_owned()));
    let lock = Some(LockView::HashLock {
        hash: "h".into(),
        claim: "c".into(),
        refund_height: 9,
        refund: "r".into(),
    });
    frozen::<ValidateAddress>(
        &Validated { isvalid: true, address: address.clone(), lock, error: None },
        r#"{"isvalid":true,"address":"dtime1x","lock":{"type":"hashlock","hash":"h","claim":"c","refund_height":9,"refund":"r"}}"#,
    );
    frozen::<ValidateAddress>(
        &Validated { isvalid: false, address, lock: None, error },
        r#"{"isvalid":false,"address":"dtime1x","error":"bad"}"#,
    );
}

#[test]
fn answers_about_consensus() {
    frozen::<GetConsensusInfo>(
        &ConsensusInfo {
            height: 8,
            round: 2,
            step: "prevote".into(),
            proposer: 1,
            masternode: Some(0),
            locked: Some(Locked { round: 1, block: "dd".into() }),
            height_age_ms: 400,
            final_height: 7,
            final_hash: "dd".into(),
            sync_target: 7,
            syncing: false,
            online_weight: 3,
            total_weight: 4,
            quorum_weight: 3,
            halted: Some("halted".into()),
            signing: "yes".into(),
            signing_reason: "yes".into(),
            stopped: None,
            waiting_for: "votes".into(),
            troubles: vec![TroubleView { time: 5_123, what: "nil".into() }],
            masternodes: vec![voter()],
        },
        &format!(
            r#"{{"height":8,"round":2,"step":"prevote","proposer":1,"masternode":0,"locked":{{"round":1,"block":"dd"}},"height_age_ms":400,"final_height":7,"final_hash":"dd","sync_target":7,"syncing":false,"online_weight":3,"total_weight":4,"quorum_weight":3,"halted":"halted","signing":"yes","signing_reason":"yes","stopped":null,"waiting_for":"votes","troubles":[{{"time":5123,"what":"nil"}}],"masternodes":[{{{VOTER}}}]}}"#
        ),
    );
    let payout = key_lock();
    frozen::<ListMasternodes>(
        &vec![MasternodeView { voter: voter(), payout, accrued: JsonAmount(Amount(1)) }],
        &format!(r#"[{{{VOTER},"payout":{KEY_LOCK},"accrued":0.00000001}}]"#),
    );
    frozen::<ListEvidence>(
        &vec![EvidenceView {
            offender: 3,
            key: Some("0303".into()),
            weight: 1,
            kind: "votes".into(),
            height: 7,
            round: 0,
            text: "signed two".into(),
            recorded: Some(RecordedIn { height: 9, hash: "dd".into() }),
            hex: "00".into(),
        }],
        r#"[{"offender":3,"key":"0303","weight":1,"kind":"votes","height":7,"round":0,"text":"signed two","recorded":{"height":9,"hash":"dd"},"hex":"00"}]"#,
    );
}

#[test]
fn answers_about_the_node() {
    frozen::<Help>(&"getblock".into(), r#""getblock""#);
    frozen::<Stop>(&"TimeCoin stopping".into(), r#""TimeCoin stopping""#);
    frozen::<Uptime>(&12, "12");
    frozen::<GetConnectionCount>(&3, "3");
    let fee = JsonAmount(Amount(10_000));
    frozen::<GetNetworkInfo>(
        &NetworkInfo {
            version: 100,
            subversion: "/timecoin:0.1.0/".into(),
            protocolversion: 1,
            chain: "dev".into(),
            genesis: "ge".into(),
            chain_id: "01020304".into(),
            peer_id: "12D3".into(),
            listen: vec!["/ip4/127.0.0.1/tcp/1".into()],
            bootstrap: vec!["/ip4/127.0.0.1/tcp/1/p2p/12D3".into()],
            reachability: "unknown".into(),
            masternode: None,
            connections: 3,
            connections_in: 1,
            connections_out: 2,
            localrelay: true,
            networkactive: true,
            timeoffset: 0,
            relayfee: fee,
            incrementalrelayfee: fee,
            warnings: vec![],
        },
        r#"{"version":100,"subversion":"/timecoin:0.1.0/","protocolversion":1,"chain":"dev","genesis":"ge","chain_id":"01020304","peer_id":"12D3","listen":["/ip4/127.0.0.1/tcp/1"],"bootstrap":["/ip4/127.0.0.1/tcp/1/p2p/12D3"],"reachability":"unknown","masternode":null,"connections":3,"connections_in":1,"connections_out":2,"localrelay":true,"networkactive":true,"timeoffset":0,"relayfee":0.00010000,"incrementalrelayfee":0.00010000,"warnings":[]}"#,
    );
    frozen::<GetPeerInfo>(
        &vec![PeerView {
            id: 0,
            peer: "12D3".into(),
            addr: "/ip4/127.0.0.1/tcp/1".into(),
            inbound: true,
            connection_type: "inbound".into(),
            transport: "tcp".into(),
            netgroup: Some("127.0.0.0/16".into()),
            conntime: 5,
            pingtime: Some(Seconds(1_000_250)),
            subver: "timecoin/0.1.0".into(),
            protocol: "tc".into(),
            version: 2,
            services: "0000000000000001".into(),
            servicesnames: vec!["NETWORK".into()],
            listen: vec![],
            mesh: vec!["votes".into()],
            has_place: true,
            score: -3,
            bytesrecv: 1,
            bytessent: 2,
        }],
        r#"[{"id":0,"peer":"12D3","addr":"/ip4/127.0.0.1/tcp/1","inbound":true,"connection_type":"inbound","transport":"tcp","netgroup":"127.0.0.0/16","conntime":5,"pingtime":1.000250,"subver":"timecoin/0.1.0","protocol":"tc","version":2,"services":"0000000000000001","servicesnames":["NETWORK"],"listen":[],"mesh":["votes"],"has_place":true,"score":-3,"bytesrecv":1,"bytessent":2}]"#,
    );
}

#[test]
fn answers_about_bans() {
    frozen::<ListBanned>(
        &vec![BanView {
            address: "9.9.9.9/32".into(),
            banned_until: 20,
            time_remaining: 10,
            reason: "noise".into(),
            times: 1,
        }],
        r#"[{"address":"9.9.9.9/32","banned_until":20,"time_remaining":10,"reason":"noise","times":1}]"#,
    );
    frozen::<SetBan>(&(), "null");
}

#[test]
fn answers_about_the_mempool() {
    let fee = JsonAmount(Amount(10_000));
    frozen::<GetMempoolInfo>(
        &MempoolInfo {
            loaded: true,
            size: 2,
            bytes: 400,
            usage: 400,
            total_fee: fee,
            maxmempool: 1_000,
            max_transactions: 10,
            mempoolminfee: fee,
            minrelaytxfee: fee,
            incrementalrelayfee: fee,
            min_fee_rate: 10,
            unbroadcastcount: 0,
            fullrbf: true,
        },
        r#"{"loaded":true,"size":2,"bytes":400,"usage":400,"total_fee":0.00010000,"maxmempool":1000,"max_transactions":10,"mempoolminfee":0.00010000,"minrelaytxfee":0.00010000,"incrementalrelayfee":0.00010000,"min_fee_rate":10,"unbroadcastcount":0,"fullrbf":true}"#,
    );
    let entry = MempoolEntry {
        txid: "aa".into(),
        wtxid: "bb".into(),
        size: 200,
        vsize: 200,
        fee,
        waiting_ms: 5,
        height: 7,
        expiry_height: 99,
    };
    let text = r#"{"txid":"aa","wtxid":"bb","size":200,"vsize":200,"fee":0.00010000,"waiting_ms":5,"height":7,"expiry_height":99}"#;
    frozen::<GetMempoolEntry>(&entry, text);
    frozen::<GetRawMempool>(&MempoolAnswer::Ids(vec!["aa".into()]), r#"["aa"]"#);
    frozen::<GetRawMempool>(&MempoolAnswer::Entries(vec![entry]), &format!(r#"{{"aa":{text}}}"#));
}

#[test]
fn answers_about_transactions() {
    let text = transaction_text();
    frozen::<DecodeRawTransaction>(&transaction(), &format!("{{{text}}}"));
    frozen::<SendRawTransaction>(&"aa".into(), r#""aa""#);
    frozen::<GetRawTransaction>(&TransactionAnswer::Hex("00".into()), r#""00""#);
    let block = InBlock {
        blockhash: "dd".into(),
        height: 7,
        index: 0,
        time: 5,
        blocktime: 5,
        time_ms: 5_123,
    };
    let placed = |is_final, confirmations, block| {
        let (hex, transaction) = ("00".to_owned(), transaction());
        let placed = Placed { hex, transaction, is_final, confirmations, block };
        TransactionAnswer::Placed(Box::new(placed))
    };
    frozen::<GetRawTransaction>(
        &placed(true, 2, Some(block)),
        &format!(
            r#"{{"hex":"00",{text},"final":true,"confirmations":2,"blockhash":"dd","height":7,"index":0,"time":5,"blocktime":5,"time_ms":5123}}"#
        ),
    );
    frozen::<GetRawTransaction>(
        &placed(false, 0, None),
        &format!(r#"{{"hex":"00",{text},"final":false,"confirmations":0}}"#),
    );
    let refused = Tested {
        txid: "aa".into(),
        wtxid: "bb".into(),
        allowed: false,
        vsize: None,
        fees: None,
        reject_reason: Some("bad".into()),
        reject_details: Some("very bad".into()),
    };
    let allowed = Tested {
        allowed: true,
        vsize: Some(200),
        fees: Some(Fees { base: JsonAmount(Amount(2_000)) }),
        reject_reason: None,
        reject_details: None,
        ..refused.clone()
    };
    frozen::<TestMempoolAccept>(
        &vec![allowed, refused],
        r#"[{"txid":"aa","wtxid":"bb","allowed":true,"vsize":200,"fees":{"base":0.00002000}},{"txid":"aa","wtxid":"bb","allowed":false,"reject-reason":"bad","reject-details":"very bad"}]"#,
    );
}

#[test]
fn answers_about_finality() {
    let pending = Finality {
        txid: "aa".into(),
        status: FinalityStatus::Pending,
        is_final: false,
        waiting_ms: Some(5),
        block: None,
    };
    frozen::<GetFinality>(
        &pending,
        r#"{"txid":"aa","state":"pending","final":false,"waiting_ms":5}"#,
    );
    let block = |index, decided: bool| FinalIn {
        blockhash: "dd".into(),
        index,
        confirmations: 2,
        commit: decided.then_some(CommitSummary { round: 1, weight: 3, total: 4 }),
        height: 7,
        certificate: decided.then(commit),
    };
    let of = |block| Finality {
        status: FinalityStatus::Final,
        is_final: true,
        waiting_ms: None,
        block: Some(block),
        ..pending.clone()
    };
    frozen::<GetFinality>(
        &of(block(Some(0), true)),
        &format!(
            r#"{{"txid":"aa","state":"final","final":true,"blockhash":"dd","index":0,"confirmations":2,"round":1,"weight":3,"total":4,"height":7,"certificate":{COMMIT}}}"#
        ),
    );
    frozen::<GetFinality>(
        &of(block(None, false)),
        r#"{"txid":"aa","state":"final","final":true,"blockhash":"dd","index":null,"confirmations":2,"height":7,"certificate":null}"#,
    );
}

/// A request of each method that has arguments, as JSON with all of them.
pub(crate) fn requests() -> Vec<(&'static str, Value)> {
    fn of<A: Ask>(request: &A) -> (&'static str, Value) {
        (A::METHOD, serde_json::to_value(request).expect("JSON"))
    }
    let (txid, hexstring) = ("aa".to_owned(), "00".to_owned());
    let maxfeerate = Some(JsonAmount(Amount(2_000)));
    vec![
        of(&AddNode { node: "/ip4/9.9.9.9/tcp/1/p2p/12D3".into(), command: "onetry".into() }),
        of(&DecodeRawTransaction { hexstring: hexstring.clone() }),
        of(&DisconnectNode { address: "12D3".into() }),
        of(&GetBlock { block: BlockId::Height(7), verbosity: Some(Level::Number(2)) }),
        of(&GetBlockHash { height: 7 }),
        of(&GetCommit { block: BlockId::Text("dd".into()) }),
        of(&GetFinality { txid: txid.clone() }),
        of(&GetMempoolEntry { txid: txid.clone() }),
        of(&GetMeshBook { count: Some(3), peer: Some("12D3".into()) }),
        of(&GetNodeAddresses { count: Some(3), network: Some("ipv4".into()) }),
        of(&GetRawMempool { verbose: Some(true), limit: Some(3) }),
        of(&GetRawTransaction { txid: txid.clone(), verbose: Some(Level::Flag(true)) }),
        of(&GetTxOut { txid, n: 1, include_mempool: Some(false) }),
        of(&Help { command: Some("help".into()) }),
        of(&ListUnspent {
            minconf: Some(1),
            maxconf: Some(2),
            addresses: Some(vec!["dtime1x".into()]),
            after_position: Some(11),
            limit: Some(5),
        }),
        of(&SendRawTransaction { hexstring: hexstring.clone(), maxfeerate }),
        of(&SetBan { subnet: "9.9.9.9".into(), command: "add".into(), bantime: Some(60) }),
        of(&TestMempoolAccept { rawtxs: vec![hexstring], maxfeerate }),
        of(&ValidateAddress { address: "dtime1x".into() }),
    ]
}

#[test]
fn codes_are_the_numbers_of_bitcoin_core() {
    let failure = Failure {
        code: Code::NotFound,
        message: "no such block".into(),
        data: Some(Reason { reason: "no-block".into() }),
    };
    let text = r#"{"code":-5,"message":"no such block","data":{"reason":"no-block"}}"#;
    assert_eq!(serde_json::to_string(&failure).expect("JSON"), text);
    assert_eq!(serde_json::from_str::<Failure>(text).ok(), Some(failure));
    for number in [
        -1, -3, -5, -8, -22, -23, -25, -26, -27, -28, -29, -30, -32_600, -32_601, -32_603, -32_700,
        7,
    ] {
        assert_eq!(i64::from(Code::from(number)), number);
    }
}

#[test]
fn amounts_are_written_and_read_digit_by_digit() {
    for (text, units) in [
        ("0.00000000", 0),
        ("0.00000001", 1),
        ("12.34567890", 1_234_567_890),
        ("90071992.54740993", 9_007_199_254_740_993),
        ("184467440737.09551615", u64::MAX),
    ] {
        let amount = JsonAmount(Amount(units));
        assert_eq!(serde_json::to_string(&amount).expect("JSON"), text);
        assert_eq!(serde_json::from_str::<JsonAmount>(text).ok(), Some(amount));
    }
    for (text, units) in [("\"0.00000001\"", 1), ("3", 300_000_000)] {
        let read = serde_json::from_str::<JsonAmount>(text).ok();
        assert_eq!(read, Some(JsonAmount(Amount(units))), "{text}");
    }
    for text in ["1e3", "-1", "0.000000001", "null", "true", "[1]"] {
        assert!(serde_json::from_str::<JsonAmount>(text).is_err(), "{text}");
    }
}
