//! Which architecture has which index? NAS-Bench-201 lists all architectures in the order in which genes count up, shuffles
//! the list with Python's generator under the seed 88 (`generate_meta_info` of its program), and everybody since refers to
//! positions in the result.
//!
//! The generator is MT19937 (Matsumoto & Nishimura, *Mersenne Twister*, ACM TOMACS 1998).

use super::super::{Architecture, Enumerable};
use super::NasBench201;

const SEED: u32 = 88;
const WORDS: usize = 624;
const MIDDLE: usize = 397;

/// Every architecture, by its published index.
pub(super) fn published_order() -> Vec<Architecture> {
    let mut architectures = NasBench201.architectures();
    let mut generator = MersenneTwister::new(SEED);
    // As `random.shuffle` does it.
    for last in (1..architectures.len()).rev() {
        let other = generator.below(last as u32 + 1);
        architectures.swap(last, other as usize);
    }
    architectures
}

struct MersenneTwister {
    state: [u32; WORDS],
    next: usize,
}

impl MersenneTwister {
    /// As `random.seed` does it with a number of one word: `init_by_array`.
    fn new(seed: u32) -> Self {
        let mut state = [0; WORDS];
        state[0] = 19_650_218;
        for word in 1..WORDS {
            state[word] = mixed(state[word - 1])
                .wrapping_mul(1_812_433_253)
                .wrapping_add(word as u32);
        }
        let mut word = 1;
        for _ in 0..WORDS {
            state[word] = (state[word] ^ mixed(state[word - 1]).wrapping_mul(1_664_525)).wrapping_add(seed);
            word = following(&mut state, word);
        }
        for _ in 1..WORDS {
            state[word] = (state[word] ^ mixed(state[word - 1]).wrapping_mul(1_566_083_941)).wrapping_sub(word as u32);
            word = following(&mut state, word);
        }
        state[0] = 0x8000_0000;
        MersenneTwister { state, next: WORDS }
    }

    fn renew(&mut self) {
        for word in 0..WORDS {
            let joined = (self.state[word] & 0x8000_0000) | (self.state[(word + 1) % WORDS] & 0x7fff_ffff);
            let twisted = if joined % 2 == 1 { 0x9908_b0df } else { 0 };
            self.state[word] = self.state[(word + MIDDLE) % WORDS] ^ (joined >> 1) ^ twisted;
        }
        self.next = 0;
    }

    fn word(&mut self) -> u32 {
        if self.next == WORDS {
            self.renew();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// A number below `count`, by drawing as many bits as it has until they are below it.
    fn below(&mut self, count: u32) -> u32 {
        let unused = count.leading_zeros();
        loop {
            let drawn = self.word() >> unused;
            if drawn < count {
                return drawn;
            }
        }
    }
}

fn mixed(word: u32) -> u32 {
    word ^ (word >> 30)
}

/// The next position after 0, which takes over the last word when the end is reached.
fn following(state: &mut [u32; WORDS], word: usize) -> usize {
    match word + 1 {
        WORDS => {
            state[0] = state[WORDS - 1];
            1
        }
        next => next,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::SearchSpace;
    use super::*;

    /// Printed by Python 3: `random.seed(88); [random.getrandbits(32) for _ in range(3)]`, and the 1,000th.
    #[test]
    fn the_generator_is_pythons() {
        let mut generator = MersenneTwister::new(88);
        let words: Vec<u32> = (0..1_000).map(|_| generator.word()).collect();
        assert_eq!(words[..3], [1_707_201_716, 4_182_107_318, 813_946_014]);
        assert_eq!(words[999], 1_496_785_836);
    }

    /// Index 0, 1 and 9,930 as in upstream's issues and log, and that nothing is lost.
    #[test]
    fn published_indices() {
        let order = published_order();
        let at = |index: usize| NasBench201.print(&order[index]);
        assert_eq!(
            at(0),
            "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
        );
        assert_eq!(
            at(1),
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
        );
        assert_eq!(
            at(9_930),
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
        );
        let mut positions: Vec<usize> = order
            .iter()
            .map(|architecture| NasBench201.index(architecture))
            .collect();
        positions.sort_unstable();
        assert!(positions.into_iter().eq(0..15_625));
    }
}
