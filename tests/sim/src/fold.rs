//! An independent, minimal ledger: a map of coins and a few sums. Shares types and hashes with the
//! chain, but none of its rules.
use crate::{
    offence,
    setup::{GENESIS_MS, Setup},
};
use std::collections::BTreeMap;
use timecoin_chain::{
    codec,
    crypto::{SignatureCheck, hash},
    ledger::LedgerState,
    types::{
        Amount, Block, BlockHash, Certificate, Height, Lock, OutPoint, Output, Transaction, TxId,
        Witness, signing_message,
    },
};

/// All money after a block.
#[derive(Debug, Clone)]
pub struct Fold {
    /// The last block's height.
    pub height: Height,
    /// The last block.
    pub block: BlockHash,
    /// Unspent outputs.
    pub coins: BTreeMap<OutPoint, Output>,
    /// Which transaction spent an output.
    pub spent: BTreeMap<OutPoint, TxId>,
    /// Transactions that are final.
    pub transactions: BTreeMap<TxId, Height>,
    time: u64,
    minted: u64,
    earned: Vec<u64>,
    treasury: u64,
    offences: BTreeMap<u16, Height>,
}

impl Fold {
    /// The money at the start.
    pub fn new(setup: &Setup) -> Self {
        let mut coins = BTreeMap::new();
        for (index, allocation) in setup.chain.genesis.allocations.iter().enumerate() {
            let counters = codec::encode(&(index as u64, 0_u64));
            let txid = TxId(hash("tc/genesis-tx", &[&setup.chain.hash.0, &counters]));
            for vout in 0..allocation.outputs {
                let vout = usize::try_from(vout).expect("a few");
                let output = Output { value: allocation.value, lock: allocation.lock.clone() };
                coins.insert(Transaction::outpoint(txid, vout), output);
            }
        }
        Self {
            height: Height::GENESIS,
            block: BlockHash(setup.chain.hash.0),
            minted: coins.values().map(|output: &Output| output.value.0).sum(),
            coins,
            spent: BTreeMap::new(),
            transactions: BTreeMap::new(),
            time: GENESIS_MS,
            earned: vec![0; setup.chain.masternodes.len()],
            treasury: 0,
            offences: BTreeMap::new(),
        }
    }

    /// Applies a block, or returns why it is invalid.
    pub fn apply(&mut self, setup: &Setup, block: &Block) -> Result<(), String> {
        let header = &block.header;
        ensure(header.height == self.height.next(), || "its height does not follow".into())?;
        ensure(header.parent == self.block, || "its parent is not the last block".into())?;
        ensure(header.timestamp.0 > self.time, || "its time does not advance".into())?;
        match &block.last_commit {
            Some(commit) => check_certificate(setup, (self.height, self.block), commit)?,
            None => ensure(self.height == Height::GENESIS, || "nobody signed its parent".into())?,
        }
        self.height = header.height;
        let mut fees = 0;
        for tx in &block.transactions {
            fees += self.pay(setup, tx)?;
        }
        self.record(setup, block)?;
        self.mint(setup, block, fees);
        (self.block, self.time) = (block.hash(), header.timestamp.0);
        if self.height.0.is_multiple_of(setup.chain.params().epoch_blocks) {
            self.reward(setup);
        }
        let held: u64 = self.coins.values().map(|output| output.value.0).sum();
        let owed: u64 = self.earned.iter().sum::<u64>() + self.treasury;
        ensure(held + owed == self.minted, || {
            format!("{held} in coins and {owed} owed are not the {} ever made", self.minted)
        })
    }

    /// The difference from a node's ledger after the same block.
    pub fn compare(&self, state: &LedgerState) -> Result<(), String> {
        ensure(state.supply.0 == self.minted, || {
            format!("supply {} is not {}", state.supply.0, self.minted)
        })?;
        let earned: Vec<u64> = state.accrued.iter().map(|amount| amount.0).collect();
        ensure(earned == self.earned, || format!("accounts {earned:?} are not {:?}", self.earned))?;
        ensure(state.accrued_treasury.0 == self.treasury, || "the treasury differs".into())?;
        let recorded = (0..).zip(&state.offences).filter_map(|(index, at)| Some((index, (*at)?)));
        let recorded: BTreeMap<u16, Height> = recorded.collect();
        ensure(recorded == self.offences, || {
            format!("offences {recorded:?} are not {:?}", self.offences)
        })
    }

    /// The offenders: for each, two signed statements of which an honest masternode signs at most
    /// one, and a first offence.
    fn record(&mut self, setup: &Setup, block: &Block) -> Result<(), String> {
        ensure(block.evidence.len() <= 8, || "there is too much evidence".into())?;
        for evidence in &block.evidence {
            let (offender, height) = (evidence.offender(), evidence.height());
            let age = setup.chain.params().evidence_age_blocks;
            ensure(height <= self.height && height.0 + age >= self.height.0, || {
                format!("the evidence is of height {height}")
            })?;
            offence::check(setup, evidence)
                .map_err(|why| format!("masternode {offender} is accused, but {why}"))?;
            ensure(self.offences.insert(offender, self.height).is_none(), || {
                format!("masternode {offender} is accused twice")
            })?;
        }
        Ok(())
    }

    fn pay(&mut self, setup: &Setup, tx: &Transaction) -> Result<u64, String> {
        let (txid, body) = (tx.txid(), &tx.body);
        ensure(body.not_before <= self.height && self.height <= body.expiry_height, || {
            format!("transaction {txid} stands outside of its heights")
        })?;
        ensure(!body.inputs.is_empty() && body.inputs.len() == tx.witnesses.len(), || {
            format!("transaction {txid} has no inputs or too few witnesses")
        })?;
        let mut spent = Vec::new();
        for input in &body.inputs {
            let output = self.coins.remove(input);
            spent.push(output.ok_or_else(|| format!("{txid} spends {input}, which is not there"))?);
            self.spent.insert(*input, txid);
        }
        let message = signing_message(&setup.chain.hash, body, &spent);
        for (output, witness) in spent.iter().zip(&tx.witnesses) {
            let (Lock::Key(key), Witness::Key(signature)) = (&output.lock, witness) else {
                return Err(format!("{txid} opens a lock that nobody here makes"));
            };
            let check = SignatureCheck { key: *key, message, signature: *signature };
            ensure(setup.scheme.all_valid(&[check]), || format!("{txid} is not signed"))?;
        }
        let come: u64 = spent.iter().map(|output| output.value.0).sum();
        let go: u64 = body.outputs.iter().map(|output| output.value.0).sum();
        ensure(go <= come, || format!("{txid} pays {go} out of {come}"))?;
        self.create(txid, body.outputs.iter().cloned());
        self.transactions.insert(txid, self.height);
        Ok(come - go)
    }

    fn create(&mut self, txid: TxId, outputs: impl Iterator<Item = Output>) {
        for (vout, output) in outputs.enumerate() {
            self.coins.insert(Transaction::outpoint(txid, vout), output);
        }
    }

    /// 14,400 TIME a day by the proposers' clocks: a twentieth to the treasury, seven tenths to the
    /// signers of the previous block by weight, the rest and the fees to the proposer.
    fn mint(&mut self, setup: &Setup, block: &Block, fees: u64) {
        let daily = u128::from(setup.chain.params().issuance_per_day.0);
        let until = |time: u64| daily * u128::from(time - GENESIS_MS) / 86_400_000;
        let made = until(block.header.timestamp.0) - until(self.time);
        let made = u64::try_from(made).expect("less than a day's");
        self.minted += made;
        self.treasury += made / 20;
        let mut left = made - made / 20;
        if let Some(commit) = &block.last_commit {
            let weight = |signer| setup.chain.masternodes.members()[usize::from(signer)].weight;
            let total: u64 = commit.signers.iter().map(weight).sum();
            for signer in commit.signers.iter() {
                let share = u128::from(made / 10 * 7) * u128::from(weight(signer));
                let share = u64::try_from(share / u128::from(total)).expect("a part of 64 bits");
                self.earned[usize::from(signer)] += share;
                left -= share;
            }
        }
        self.earned[usize::from(block.header.proposer)] += left + fees;
    }

    fn reward(&mut self, setup: &Setup) {
        let txid = TxId(hash("tc/reward", &[&setup.chain.hash.0, &self.height.0.to_le_bytes()]));
        let members = setup.chain.masternodes.members().iter().map(|member| member.payout.clone());
        let locks: Vec<Lock> = members.chain([setup.chain.params().treasury.clone()]).collect();
        let mut amounts = std::mem::take(&mut self.earned);
        self.earned = vec![0; amounts.len()];
        amounts.push(std::mem::take(&mut self.treasury));
        let outputs = amounts.into_iter().zip(locks).filter(|(amount, _)| *amount > 0);
        self.create(txid, outputs.map(|(amount, lock)| Output { value: Amount(amount), lock }));
    }
}

/// Whether a certificate makes a block final: the arithmetic and every signature, checked
/// independently.
pub fn check_certificate(
    setup: &Setup,
    (height, block): (Height, BlockHash),
    certificate: &Certificate,
) -> Result<(), String> {
    let members = setup.chain.masternodes.members();
    let named = (certificate.height, certificate.block, certificate.is_commit());
    ensure(named == (height, Some(block), true), || "the certificate names something else".into())?;
    let mut weight = 0;
    let mut signatures = certificate.signatures.iter();
    for (index, member) in (0_u16..).zip(members) {
        if certificate.signers.contains(index) {
            let signature = signatures.next().ok_or("a signature is missing")?;
            let message = certificate.signing_message(&setup.chain.hash);
            let check = SignatureCheck { key: member.key, message, signature: *signature };
            ensure(setup.scheme.all_valid(&[check]), || format!("{index} did not sign"))?;
            weight += member.weight;
        }
    }
    ensure(signatures.next().is_none(), || "there are more signatures than signers".into())?;
    let total: u64 = members.iter().map(|member| member.weight).sum();
    ensure(weight * 3 > total * 2, || format!("weight {weight} of {total} is not a quorum"))
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
