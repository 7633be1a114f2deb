//! A naive ledger: a map of outputs, and the rules of money written a second time.
use super::*;
use timecoin_chain::{genesis::Chain, types::OutPoint};

/// Outputs by outpoint, and who has earned how much since the last payment.
pub(super) struct Naive {
    pub(super) coins: BTreeMap<OutPoint, Output>,
    pub(super) earned: Vec<u64>,
    pub(super) treasury: u64,
    fees: u64,
    ever: BTreeSet<OutPoint>,
}

impl Naive {
    pub(super) fn new(fixture: &Fixture) -> Self {
        let coins: BTreeMap<_, _> = fixture
            .view
            .coins()
            .map(|coin| (coin.coin.outpoint, coin.coin.output.clone()))
            .collect();
        let ever = coins.keys().copied().collect();
        let earned = vec![0; fixture.chain.masternodes.len()];
        Self { coins, earned, treasury: 0, fees: 0, ever }
    }

    fn insert(&mut self, outpoint: OutPoint, output: Output) {
        assert!(self.ever.insert(outpoint), "{outpoint} is created twice");
        self.coins.insert(outpoint, output);
    }

    pub(super) fn transaction(&mut self, tx: &Transaction) {
        let spent: u64 =
            tx.body.inputs.iter().map(|input| self.coins.remove(input).unwrap().value.0).sum();
        let txid = tx.txid();
        for (index, output) in tx.body.outputs.iter().enumerate() {
            self.insert(Transaction::outpoint(txid, index), output.clone());
        }
        self.fees += spent - tx.body.outputs.iter().map(|output| output.value.0).sum::<u64>();
    }

    pub(super) fn rewards(&mut self, fixture: &Fixture, block: &Block, delta: &BlockDelta) {
        let chain = &fixture.chain;
        let new = issued(chain, block.header.timestamp) - issued(chain, fixture.state.timestamp);
        let mut left = new - new / 20;
        self.treasury += new / 20;
        if let Some(commit) = &block.last_commit {
            let weight = |signer: u16| chain.masternodes.get(signer).unwrap().weight;
            let total: u64 = commit.signers.iter().map(weight).sum();
            for signer in commit.signers.iter() {
                let part = u128::from(new / 10 * 7) * u128::from(weight(signer));
                let part = u64::try_from(part / u128::from(total)).unwrap();
                self.earned[usize::from(signer)] += part;
                left -= part;
            }
        }
        self.earned[usize::from(block.header.proposer)] += left + std::mem::take(&mut self.fees);
        if block.header.height.0.is_multiple_of(chain.params().epoch_blocks) {
            self.pay(chain, delta);
        }
    }

    fn pay(&mut self, chain: &Chain, delta: &BlockDelta) {
        let record = delta.transactions.last().unwrap();
        let mut outputs: Vec<Output> = vec![];
        for (earned, member) in self.earned.iter_mut().zip(chain.masternodes.members()) {
            let value = Amount(std::mem::take(earned));
            outputs.push(Output { value, lock: member.payout.clone() });
        }
        let value = Amount(std::mem::take(&mut self.treasury));
        outputs.push(Output { value, lock: chain.params().treasury.clone() });
        outputs.retain(|output| output.value.0 > 0);
        for (index, output) in outputs.into_iter().enumerate() {
            assert_eq!(record.index, None);
            self.insert(Transaction::outpoint(record.txid, index), output);
        }
    }
}

/// All money issued from genesis to a time.
pub(super) fn issued(chain: &Chain, time: Timestamp) -> u64 {
    let elapsed = u128::from(time.0 - chain.genesis.time.0);
    let issued = u128::from(chain.params().issuance_per_day.0) * elapsed / (24 * 60 * 60 * 1_000);
    u64::try_from(issued).unwrap()
}
