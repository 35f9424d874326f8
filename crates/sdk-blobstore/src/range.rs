//! Ranges of an object, from Rust's range types.

use std::ops::{Bound, RangeBounds};

use crate::bindings::tempo::blobstore::store::ByteRange;

/// Converts the range to the host's type. A range that ends before it begins is empty.
pub(crate) fn to_host(range: &impl RangeBounds<u64>) -> ByteRange {
    let offset = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let length = match range.end_bound() {
        // Saturates only for a byte that no object has.
        Bound::Included(end) => Some(end.saturating_add(1).saturating_sub(offset)),
        Bound::Excluded(end) => Some(end.saturating_sub(offset)),
        Bound::Unbounded => None,
    };
    ByteRange { offset, length }
}

/// Returns the number of bytes of the range in an object of `size` bytes.
pub(crate) fn length(range: Option<ByteRange>, size: u64) -> u64 {
    let Some(ByteRange { offset, length }) = range else { return size };
    let rest = size.saturating_sub(offset);
    length.map_or(rest, |length| length.min(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(range: impl RangeBounds<u64>) -> (u64, Option<u64>) {
        let ByteRange { offset, length } = to_host(&range);
        (offset, length)
    }

    #[test]
    fn rust_ranges_are_converted() {
        assert_eq!(parts(..), (0, None));
        assert_eq!(parts(3..), (3, None));
        assert_eq!(parts(3..5), (3, Some(2)));
        assert_eq!(parts(3..=5), (3, Some(3)));
        assert_eq!(parts(..5), (0, Some(5)));
        assert_eq!(parts(..=0), (0, Some(1)));
        assert_eq!(parts(3..3), (3, Some(0)));
        assert_eq!(parts((Bound::Excluded(3), Bound::Excluded(5))), (4, Some(1)));
    }

    #[test]
    fn ranges_at_their_edges() {
        #[expect(clippy::reversed_empty_ranges, reason = "it must be empty, not huge")]
        let reversed = parts(5..3);
        assert_eq!(reversed, (5, Some(0)));
        assert_eq!(parts(..=u64::MAX), (0, Some(u64::MAX)));
        assert_eq!(parts(u64::MAX..), (u64::MAX, None));
        assert_eq!(parts((Bound::Excluded(u64::MAX), Bound::Unbounded)), (u64::MAX, None));
    }

    #[test]
    fn a_range_is_clamped_to_the_size() {
        let of_ten = |range: std::ops::RangeInclusive<u64>| length(Some(to_host(&range)), 10);
        assert_eq!(length(None, 10), 10);
        assert_eq!(length(Some(to_host(&(4..))), 10), 6);
        assert_eq!(of_ten(0..=0), 1);
        assert_eq!(of_ten(0..=9), 10);
        assert_eq!(of_ten(9..=u64::MAX), 1);
        assert_eq!(of_ten(10..=u64::MAX), 0);
        assert_eq!(of_ten(u64::MAX..=u64::MAX), 0);
    }
}
