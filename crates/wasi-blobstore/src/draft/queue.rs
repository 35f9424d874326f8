//! Bytes that wait: as they came, so that they are not copied, but many small pieces become one.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// What is smaller is copied, in bytes: to keep it as it came would cost more.
const COPY_THRESHOLD_BYTES: usize = 4 << 10;

/// Bytes in the order in which they came.
#[derive(Default)]
pub(super) struct Queue {
    pieces: VecDeque<Bytes>,
    /// Small pieces that came after those.
    last: BytesMut,
    /// How many bytes there are.
    len: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.len = self.len.saturating_add(bytes.len());
        if bytes.len() < COPY_THRESHOLD_BYTES {
            self.last.extend_from_slice(&bytes);
            if self.last.len() < COPY_THRESHOLD_BYTES {
                return;
            }
            self.flush();
        } else {
            self.flush();
            self.pieces.push_back(bytes);
        }
    }

    /// The next piece, which is not empty.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        if self.pieces.is_empty() {
            self.flush();
        }
        let next = self.pieces.pop_front()?;
        self.len = self.len.saturating_sub(next.len());
        Some(next)
    }

    fn flush(&mut self) {
        if !self.last.is_empty() {
            self.pieces.push_back(self.last.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(length: usize, fill: u8) -> Bytes {
        vec![fill; length].into()
    }

    #[test]
    fn everything_comes_out_in_its_order() {
        let mut queue = Queue::default();
        let lengths = [
            0,
            1,
            2,
            COPY_THRESHOLD_BYTES,
            3,
            COPY_THRESHOLD_BYTES - 4,
            1,
            COPY_THRESHOLD_BYTES - 1,
            COPY_THRESHOLD_BYTES + 1,
            0,
            5,
        ];
        let pieces: Vec<Bytes> = (0..).zip(lengths).map(|(fill, length)| piece(length, fill)).collect();
        pieces.iter().for_each(|piece| queue.push(piece.clone()));
        let all = pieces.concat();
        assert_eq!(queue.len(), all.len());
        let mut popped = Vec::new();
        while let Some(next) = queue.pop() {
            assert!(!next.is_empty());
            popped.extend_from_slice(&next);
            assert_eq!(queue.len(), all.len() - popped.len());
        }
        assert_eq!(popped, all);
    }

    #[test]
    fn a_large_piece_is_not_copied_and_many_small_ones_are_few() {
        let mut queue = Queue::default();
        let large = piece(COPY_THRESHOLD_BYTES, 1);
        queue.push(large.clone());
        assert_eq!(queue.pop().unwrap().as_ptr(), large.as_ptr());
        (0..COPY_THRESHOLD_BYTES).for_each(|_| queue.push(piece(1, 2)));
        assert_eq!(queue.pieces.len(), 1);
    }
}
