//! Which experts a mixture's tokens go to.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// How tokens choose experts.
#[derive(Debug, Clone, PartialEq)]
pub enum Routing {
    /// Every token chooses at random, all experts alike likely; by seed.
    Uniform {
        /// Seed.
        seed: u64,
    },
    /// Likewise, by the share of tokens that each expert was seen to take; must have as many shares as there are experts.
    Measured {
        /// Shares, any unit.
        shares: Vec<f64>,
        /// Seed.
        seed: u64,
    },
    /// As many experts as there are choices: most weights to load.
    Worst,
    /// Every expert takes every token: what lies in memory, not what runs.
    Every,
}

impl Routing {
    /// How many experts take how many tokens, as (tokens, experts) by falling number of tokens; experts without tokens are left
    /// out. Every token chooses `per_token` different ones of `experts`.
    pub fn loads(&self, experts: u32, per_token: u32, tokens: u32) -> Vec<(u32, u32)> {
        let choices = u64::from(tokens) * u64::from(per_token);
        let mut taken = vec![0u32; experts as usize];
        match self {
            Routing::Uniform { seed } => sample(&mut taken, &vec![1.0; experts as usize], per_token, tokens, *seed),
            Routing::Measured { shares, seed } => sample(&mut taken, shares, per_token, tokens, *seed),
            Routing::Worst => {
                let each = |i: u64| (choices / u64::from(experts) + u64::from(i < choices % u64::from(experts))) as u32;
                taken.iter_mut().zip(0..).for_each(|(load, i)| *load = each(i));
            }
            Routing::Every => taken.fill(tokens),
        }
        let mut loads = BTreeMap::new();
        taken.into_iter().filter(|load| *load > 0).for_each(|load| *loads.entry(load).or_insert(0) += 1);
        loads.into_iter().rev().collect()
    }
}

/// Adds each token's choice, without repetition, by weight.
fn sample(taken: &mut [u32], shares: &[f64], per_token: u32, tokens: u32, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut weights = Vec::with_capacity(shares.len());
    for _ in 0..tokens {
        weights.clear();
        weights.extend_from_slice(shares);
        for _ in 0..per_token {
            let total: f64 = weights.iter().sum();
            // 53 random bits: a number below the total.
            let mut point = (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64 * total;
            let found = weights.iter().position(|weight| {
                point -= weight;
                point < 0.0
            });
            // Rounding can leave the point behind the last: the last that can be chosen takes it.
            let last = || weights.iter().rposition(|weight| *weight > 0.0);
            let Some(chosen) = found.or_else(last) else { continue };
            weights[chosen] = 0.0;
            taken[chosen] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_made_once() {
        let shares: Vec<f64> = (0..16).map(|i| if i == 3 { 0.0 } else { f64::from(i + 1) }).collect();
        for routing in [Routing::Uniform { seed: 1 }, Routing::Measured { shares, seed: 2 }, Routing::Worst] {
            for (per_token, tokens) in [(1, 1), (2, 7), (8, 100), (15, 3)] {
                let loads = routing.loads(16, per_token, tokens);
                let choices: u32 = loads.iter().map(|(load, count)| load * count).sum();
                assert_eq!(choices, per_token * tokens, "{routing:?}");
                assert!(loads.iter().map(|(_, count)| count).sum::<u32>() <= 16);
                assert!(loads.iter().all(|(load, _)| *load <= tokens), "no token takes an expert twice");
            }
        }
    }

    #[test]
    fn the_worst_loads_as_many_experts_as_can_be() {
        assert_eq!(Routing::Worst.loads(128, 8, 1), [(1, 8)]);
        assert_eq!(Routing::Worst.loads(128, 8, 20), [(2, 32), (1, 96)]);
    }

    #[test]
    fn measured_shares_are_kept() {
        let shares = vec![6.0, 3.0, 1.0, 0.0];
        let mut taken = vec![0; 4];
        sample(&mut taken, &shares, 1, 10_000, 9);
        for (taken, expected) in taken.iter().zip([6000, 3000, 1000, 0]) {
            assert!(taken.abs_diff(expected) < 200, "{taken} of {expected}");
        }
    }
}
