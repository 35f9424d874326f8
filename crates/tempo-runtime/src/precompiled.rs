//! The format of precompiled files, which `tempo compile` writes and `tempo run` reads.
//!
//! ```text
//! magic            8 bytes   "TEMPOBIN"
//! header length    4 bytes   little endian
//! header           JSON      build, target, source
//! machine code     ...       wasmtime's own format
//! tag              32 bytes  HMAC-SHA-256 of everything before it, under the host's key
//! ```

use ring::hmac;
use serde::{Deserialize, Serialize};
use tempo_settings::{Error, ErrorKind};

use crate::allocation::Allocation;
use crate::host_key::HostKey;
use crate::scan::Shape;

/// The first bytes of the file.
const MAGIC: &[u8; 8] = b"TEMPOBIN";
/// Length of the HMAC, in bytes.
const TAG_BYTES: usize = 32;
/// Maximum length of the header, in bytes.
const MAX_HEADER_BYTES: usize = 4096;

/// The header, which precedes the machine code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The wasmtime version and target, human-readable.
    pub built_by: String,
    /// wasmtime's compatibility hash: version, target, processor features and settings.
    pub compatibility: String,
    /// The SHA-256 of the component.
    pub source: String,
    /// The component's requirements on the engine.
    pub shape: Shape,
    /// Where the code expects the memories of instances.
    #[serde(default)]
    pub allocation: Allocation,
    /// The target, if it was compiled for all its processors; `None` if for the processor of the compiling machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// Returns the `built_by` of this program on this machine.
pub fn this_build() -> String {
    format!("wasmtime {} for {}-{}", wasmtime_version(), std::env::consts::ARCH, std::env::consts::OS)
}

fn wasmtime_version() -> &'static str {
    // wasmtime has no constant for it. The compatibility hash of the header distinguishes patch releases.
    "48"
}

/// Returns whether `bytes` are a precompiled file, signed or not.
pub(crate) fn is_precompiled(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Encodes and signs a precompiled file.
pub fn encode(header: &Header, code: &[u8], key: &HostKey) -> anyhow::Result<Vec<u8>> {
    let header = serde_json::to_vec(header)?;
    let mut file = Vec::with_capacity(MAGIC.len() + 4 + header.len() + code.len() + TAG_BYTES);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&u32::try_from(header.len())?.to_le_bytes());
    file.extend_from_slice(&header);
    file.extend_from_slice(code);
    Ok(sign(file, key))
}

/// Appends the tag to `file`, the bytes that precede it.
pub fn sign(mut file: Vec<u8>, key: &HostKey) -> Vec<u8> {
    let tag = hmac::sign(&mac_key(key), &file);
    file.extend_from_slice(tag.as_ref());
    file
}

/// A file whose signature is valid.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The header.
    pub header: Header,
    /// The machine code.
    pub code: &'a [u8],
    /// The tag, which stands for the whole file.
    pub tag: [u8; TAG_BYTES],
}

/// Verifies the signature of a file, and splits the file into its parts.
///
/// # Errors
///
/// The file is truncated, was built by another version, or is not signed by `key`.
pub fn decode<'a>(file: &'a [u8], key: Option<&HostKey>) -> Result<Decoded<'a>, Error> {
    let FileParts { header, code, signed, tag } = split(file).ok_or_else(|| {
        Error::new(ErrorKind::BadComponent, "this precompiled file is cut short or damaged: compile it again")
    })?;
    if header.built_by != this_build() {
        return Err(other_build(&header.built_by));
    }
    let genuine = key.is_some_and(|key| hmac::verify(&mac_key(key), signed, tag).is_ok());
    if !genuine {
        return Err(Error::new(
            ErrorKind::Refused,
            "refused: this precompiled file is not signed by this host's key, and loading it would run its native code; \
             compile it here (`tempo compile`) or give its key (--key-file)",
        ));
    }
    Ok(Decoded { header, code, tag: *tag })
}

/// Returns the error for a file of another wasmtime version, target or processor. `built_by` is untrusted: its signature may
/// not have been verified.
pub(crate) fn other_build(built_by: &str) -> Error {
    let built_by: String = built_by.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(80).collect();
    let message = format!("this precompiled file was built by {built_by}; this is {}: compile it again", this_build());
    Error::new(ErrorKind::BadComponent, message)
}

struct FileParts<'a> {
    header: Header,
    code: &'a [u8],
    /// The bytes that the tag covers.
    signed: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

fn split(file: &[u8]) -> Option<FileParts<'_>> {
    let (signed, tag) = file.split_last_chunk()?;
    let (length, rest) = signed.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= MAX_HEADER_BYTES)?;
    let (header, code) = rest.split_at_checked(length)?;
    Some(FileParts { header: serde_json::from_slice(header).ok()?, code, signed, tag })
}

fn mac_key(key: &HostKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            built_by: this_build(),
            compatibility: "c0ffee".into(),
            source: "00".into(),
            shape: Shape {
                concurrent: true,
                gc_heap: false,
                core_instances: 1,
                memories: 1,
                tables: 1,
                least_memory: 0,
                least_table: 0,
                exports: vec!["wasi:cli/run@0.2.0".into()],
                imports: Vec::new(),
            },
            allocation: Allocation::OnDemand,
            target: None,
        }
    }

    #[test]
    fn the_version_is_that_of_the_manifest() {
        let manifest = include_str!("../../../Cargo.toml");
        assert!(manifest.contains(&format!("wasmtime = {{ version = \"{}.", wasmtime_version())));
    }

    #[test]
    fn a_signed_file_round_trips() {
        let key = HostKey::from_bytes([7; 32]);
        let file = encode(&header(), b"code", &key).unwrap();
        let decoded = decode(&file, Some(&key)).unwrap();
        assert_eq!((decoded.header, decoded.code), (header(), b"code".as_slice()));
        assert!(file.ends_with(&decoded.tag));
    }

    #[test]
    fn any_changed_byte_or_other_key_is_refused() {
        let key = HostKey::from_bytes([7; 32]);
        let file = encode(&header(), b"code", &key).unwrap();
        for index in 0..file.len() {
            let mut changed = file.clone();
            changed[index] ^= 1;
            assert!(decode(&changed, Some(&key)).is_err(), "byte {index}");
        }
        assert_eq!(decode(&file, None).unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(decode(&file, Some(&HostKey::from_bytes([8; 32]))).unwrap_err().kind(), ErrorKind::Refused);
    }

    #[test]
    fn any_truncation_is_an_error() {
        let key = HostKey::from_bytes([7; 32]);
        let file = encode(&header(), b"code", &key).unwrap();
        for length in 0..file.len() {
            assert!(decode(&file[..length], Some(&key)).is_err(), "length {length}");
        }
    }

    #[test]
    fn another_build_is_named_without_its_control_characters() {
        let key = HostKey::from_bytes([7; 32]);
        let other = Header { built_by: "wasmtime 1.0 for \u{1b}[31mvax-vms".into(), ..header() };
        let error = decode(&encode(&other, b"", &key).unwrap(), Some(&key)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadComponent);
        assert!(error.to_string().contains("built by wasmtime 1.0 for [31mvax-vms; this is wasmtime"), "{error}");
    }
}
