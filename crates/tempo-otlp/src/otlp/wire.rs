//! The subset of protobuf's wire format for encoding OTLP directly into a buffer, and for walking messages.
//!
//! Host spans are encoded without intermediate message types, which would allocate for each attribute on the request
//! path.

/// Wire types: the lower three bits of a tag.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

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

fn tag(out: &mut Vec<u8>, field: u32, wire: u32) {
    varint(out, u64::from(field << 3 | wire));
}

pub(crate) fn uint(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, VARINT);
    varint(out, value);
}

pub(crate) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    head(out, field, value.len());
    out.extend_from_slice(value);
}

/// Writes the tag and length of a field of `length` bytes.
pub(crate) fn head(out: &mut Vec<u8>, field: u32, length: usize) {
    tag(out, field, LENGTH);
    varint(out, length as u64);
}

/// Returns the encoded size of a field of `length` bytes with a number below 16, tag included.
pub(crate) fn field_len(length: usize) -> usize {
    length.saturating_add(1).saturating_add(varint_len(length as u64))
}

/// Writes a nested message.
pub(crate) fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, LENGTH);
    let start = out.len();
    // One byte suffices for most lengths; longer messages are moved.
    out.push(0);
    write(out);
    let length = out.len().saturating_sub(start).saturating_sub(1);
    if let (Ok(short @ 0..0x80), Some(place)) = (u8::try_from(length), out.get_mut(start)) {
        *place = short;
        return;
    }
    let mut long = Vec::with_capacity(10);
    varint(&mut long, length as u64);
    out.splice(start..=start, long);
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

    #[test]
    fn a_message_is_the_same_whether_its_length_was_known_or_not() {
        for length in [0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000] {
            let content = vec![9; length];
            let (mut known, mut found) = (vec![1, 2], vec![1, 2]);
            bytes(&mut known, 3, &content);
            message(&mut found, 3, |out| out.extend_from_slice(&content));
            assert_eq!(known, found, "{length}");
        }
    }
}
