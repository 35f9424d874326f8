//! Reads the fields of a protobuf message one at a time, without decoding their content.

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

/// Reads the next field of `message`: its number, and its content if length-delimited. Returns `None` if it is
/// malformed.
pub(crate) fn read_field<'a>(message: &mut &'a [u8]) -> Option<(u64, Option<&'a [u8]>)> {
    let key = read_varint(message)?;
    let content = match u32::try_from(key & 7).ok()? {
        VARINT => {
            read_varint(message)?;
            None
        }
        FIXED64 => message.split_off(..8).map(|_| None)?,
        LENGTH => {
            let length = usize::try_from(read_varint(message)?).ok()?;
            Some(message.split_off(..length)?)
        }
        FIXED32 => message.split_off(..4).map(|_| None)?,
        _ => return None,
    };
    Some((key >> 3, content))
}

fn read_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *message.split_off_first()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_all_wire_types_are_read() {
        let mut message = vec![0x08, 0xff, 0x01];
        message.extend([0x11, 7, 0, 0, 0, 0, 0, 0, 0]);
        message.extend(b"\x1a\x04text");
        message.extend([0x25, 7, 0, 0, 0]);
        let mut rest = message.as_slice();
        let read: Vec<_> = std::iter::from_fn(|| read_field(&mut rest)).collect();
        assert_eq!(read, [(1, None), (2, None), (3, Some(&b"text"[..])), (4, None)]);
        assert!(rest.is_empty());
        for broken in [&b"\x0a"[..], b"\x0a\x02x", b"\x0b", b"\x09\0", b"\x0d\0", &[0xff; 11], b""] {
            assert_eq!(read_field(&mut &*broken), None, "{broken:?}");
        }
    }
}
