//! Tags and lengths of protobuf's wire format, which frame encoded messages.

/// The wire type of a length-delimited field: the lower three bits of its tag.
const LENGTH: u32 = 2;

pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Returns the number of bytes that [`varint`] writes.
pub(crate) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros()).div_ceil(7) as usize
}

pub(crate) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    head(out, field, value.len());
    out.extend_from_slice(value);
}

/// Writes the tag and length of a field of `length` bytes.
pub(crate) fn head(out: &mut Vec<u8>, field: u32, length: usize) {
    varint(out, u64::from(field << 3 | LENGTH));
    varint(out, length as u64);
}

/// Returns the encoded size of a field of `length` bytes with a number below 16, tag included.
pub(crate) fn field_len(length: usize) -> usize {
    length.saturating_add(1).saturating_add(varint_len(length as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_what_is_written() {
        for bits in 0..64 {
            for value in [1_u64 << bits, (1 << bits) - 1, u64::MAX >> bits] {
                let mut out = Vec::new();
                varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
            }
        }
        for length in [0, 127, 128, 16_383, 16_384] {
            let mut out = Vec::new();
            bytes(&mut out, 2, &vec![7; length]);
            assert_eq!(out.len(), field_len(length));
        }
    }
}
