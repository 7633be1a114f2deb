//! How regular empty blocks are when only clocks and link delays vary.
use crate::{
    faults::Faults,
    rng::Rng,
    setup::Setup,
    shells::{Clock, Shells},
};
use timecoin_chain::{genesis::Chain, types::Millis};

/// The bound that the documentation states.
const TOLERANCE_MS: u64 = 500;

#[test]
fn idle_blocks_come_every_interval_whatever_the_clocks_and_ways_are() {
    let skewed = [(5_000, 200), (-1_500, -200), (0, 100), (500, 0)]
        .map(|(ahead_ms, fast_ppm)| Clock { ahead_ms, fast_ppm });
    for interval in [30_000, 60_000] {
        for (clocks, delay) in
            [([Clock::default(); 4], 0), ([Clock::default(); 4], 80), (skewed, 80)]
        {
            let gaps = gaps(interval, 20, &clocks, delay).expect("blocks come");
            let (least, most) = (gaps.iter().min(), gaps.iter().max());
            println!(
                "interval {interval} ms, ways up to {delay} ms: gaps from {least:?} to {most:?} ms"
            );
            assert!(
                gaps.iter().all(|gap| gap.abs_diff(interval) <= TOLERANCE_MS),
                "interval {interval}, clocks {clocks:?}, ways up to {delay} ms: {gaps:?}"
            );
        }
    }
}

/// The times in milliseconds between the first blocks at each masternode.
fn gaps(
    interval_ms: u64,
    blocks: usize,
    clocks: &[Clock; 4],
    delay_ms: u64,
) -> Result<Vec<u64>, String> {
    let mut setup = Setup::draw(&mut Rng::new(0), &Faults::none(), 4);
    let mut genesis = setup.chain.genesis.clone();
    genesis.params.block_interval = Millis(interval_ms);
    setup.chain = Chain::new(genesis).map_err(|error| error.to_string())?.into();
    let mut shells = Shells::start(setup, clocks, delay_ms)?;
    let mut last: Vec<(u64, Option<u64>)> = vec![(0, None); clocks.len()];
    let mut gaps = Vec::new();
    let mut quiet = 0;
    while gaps.len() < clocks.len() * blocks {
        shells.pass_ms()?;
        quiet += 1;
        for (height, (seen, at)) in
            shells.heights().zip(&mut last).filter(|(height, (seen, _))| height > seen)
        {
            quiet = 0;
            gaps.extend(at.map(|at| shells.ms() - at));
            (*seen, *at) = (height, Some(shells.ms()));
        }
        if quiet > 3 * interval_ms {
            return Err(format!("no block for {quiet} ms"));
        }
    }
    Ok(gaps)
}
