//! `Mutator`: a deterministic sequence of inputs, most of them mutations of a target's seeds.

use fastrand::Rng;

use crate::Target;

/// The maximum length of an input, in bytes.
const MAX_INPUT_BYTES: usize = 4096;
/// The maximum length of an inserted or removed part, in bytes.
const MAX_PART_BYTES: usize = 16;
/// One input of so many is random bytes.
const RANDOM_INPUTS: u32 = 32;

/// Generates inputs. Two mutators of the same target and seed generate the same.
#[derive(Debug)]
pub(crate) struct Mutator {
    rng: Rng,
    corpus: Vec<Vec<u8>>,
    tokens: &'static [&'static str],
}

impl Mutator {
    /// Creates a mutator.
    pub(crate) fn new(target: &Target, seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), corpus: (target.seeds)(), tokens: target.tokens }
    }

    /// Returns the next input.
    pub(crate) fn next_input(&mut self) -> Vec<u8> {
        if self.rng.u32(..RANDOM_INPUTS) == 0 {
            return self.random_bytes(4 * MAX_PART_BYTES);
        }
        let mut input = self.pick();
        // Few mutations find the limits of one field, many those of their combinations.
        while self.mutate(&mut input) {}
        input.truncate(MAX_INPUT_BYTES);
        input
    }

    /// Mutates `input`. Returns false in one of three calls.
    fn mutate(&mut self, input: &mut Vec<u8>) -> bool {
        let at = self.rng.usize(..=input.len());
        let end = at.saturating_add(self.rng.usize(..=MAX_PART_BYTES)).min(input.len());
        let part = match self.rng.u32(..9) {
            0 => return self.change_byte(input, at),
            // Removes the part.
            1 => Vec::new(),
            2 => self.random_bytes(MAX_PART_BYTES),
            3..=5 => self.token(),
            // Repeats the part.
            6 => input.get(at..end).unwrap_or_default().repeat(self.rng.usize(1..=8)),
            7 => self.slice_of_another(),
            _ => {
                input.truncate(at);
                Vec::new()
            }
        };
        let end = if self.rng.bool() { end.min(input.len()) } else { at };
        input.splice(at..end, part);
        self.rng.u32(..3) > 0
    }

    fn change_byte(&mut self, input: &mut [u8], at: usize) -> bool {
        const EXTREMES: &[u8] = &[0, 1, 9, 10, 13, 0x7f, 0x80, 0xc2, 0xfe, 0xff];
        if let Some(byte) = input.get_mut(at) {
            *byte = match self.rng.u32(..3) {
                0 => *byte ^ (1 << self.rng.u32(..8)),
                1 => byte.wrapping_add(1),
                _ => self.rng.choice(EXTREMES).copied().unwrap_or_default(),
            };
        }
        self.rng.bool()
    }

    fn token(&mut self) -> Vec<u8> {
        self.rng.choice(self.tokens).map(|token| token.as_bytes().to_vec()).unwrap_or_default()
    }

    fn pick(&mut self) -> Vec<u8> {
        self.rng.choice(&self.corpus).cloned().unwrap_or_default()
    }

    fn slice_of_another(&mut self) -> Vec<u8> {
        let other = self.pick();
        let at = self.rng.usize(..=other.len());
        let end = self.rng.usize(at..=other.len());
        other.get(at..end).unwrap_or_default().to_vec()
    }

    fn random_bytes(&mut self, max: usize) -> Vec<u8> {
        let length = self.rng.usize(..=max);
        std::iter::repeat_with(|| self.rng.u8(..)).take(length).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_the_inputs() {
        let inputs = |seed| {
            let mut mutator = Mutator::new(&crate::topics::TARGET, seed);
            (0..100).map(|_| mutator.next_input()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
    }
}
