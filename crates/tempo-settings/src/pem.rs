//! `PemContent`: checks that a file is PEM with the sections that a flag needs, because parsers of PEM report an encrypted
//! key, DER and swapped files alike: as a file without items.

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Error, ErrorKind, Result};

/// Maximum number of sections that an error lists.
const MAX_LISTED_SECTIONS: usize = 4;
/// Maximum length of a section's label in an error, in bytes.
const MAX_LABEL_BYTES: usize = 40;

/// What some editors write before UTF-8. Parsers of PEM do not recognize a section that begins with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The labels of private keys that are not encrypted.
const KEYS: [&[u8]; 3] = [b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY"];

/// The sections that a PEM file must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PemContent {
    /// At least one certificate.
    Certificates,
    /// A private key that is not encrypted.
    PrivateKey,
}

impl PemContent {
    /// Checks that `content` is PEM with such a section, and returns advice otherwise. It does not decode the section.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadConfiguration`], with the reason and the `openssl` command that converts the file. The error has no
    /// part of `content` except the labels of its sections.
    ///
    /// ```
    /// use tempo_settings::PemContent;
    ///
    /// let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n...\n-----END ENCRYPTED PRIVATE KEY-----\n";
    /// assert_eq!(
    ///     PemContent::PrivateKey.check(encrypted).unwrap_err().to_string(),
    ///     "the key is encrypted; decrypt it with `openssl pkey -in FILE -out NEW`"
    /// );
    /// ```
    pub fn check(self, content: &[u8]) -> Result<()> {
        if content.starts_with(BYTE_ORDER_MARK) {
            return Err(error("the file begins with a byte order mark".to_owned()).with_advice("save it without one"));
        }
        let sections = sections(content);
        if let Some(open) = sections.iter().find(|section| !section.ended) {
            let label = open.printable().unwrap_or("last");
            return Err(error(format!("the {label} section has no END line; the file may be incomplete")));
        }
        let is_key = |section: &&Section<'_>| KEYS.contains(&section.label);
        let has_encrypted = || sections.iter().any(|section| section.label == b"ENCRYPTED PRIVATE KEY");
        match self {
            Self::Certificates if sections.iter().any(|section| section.label == b"CERTIFICATE") => return Ok(()),
            // Parsers use the first key.
            Self::PrivateKey => match sections.iter().find(is_key) {
                Some(key) if key.encrypted => return Err(encrypted()),
                Some(_) => return Ok(()),
                None if has_encrypted() => return Err(encrypted()),
                None => {}
            },
            Self::Certificates => {}
        }
        if sections.is_empty()
            && let Some(der) = Der::of(content)
        {
            return Err(der.error());
        }
        Err(self.missing(&sections))
    }

    fn missing(self, sections: &[Section<'_>]) -> Error {
        let expected = match self {
            Self::Certificates => "expected PEM with at least one CERTIFICATE section",
            Self::PrivateKey => "expected PEM with a PRIVATE KEY section",
        };
        let labels = sections.iter().filter_map(Section::printable);
        let labels: Vec<&str> = labels.take(MAX_LISTED_SECTIONS).collect();
        let found = if labels.is_empty() { String::new() } else { format!(", found {}", labels.join(", ")) };
        error(format!("{expected}{found}"))
    }
}

/// Parses all certificates of a PEM file.
///
/// # Errors
///
/// Those of [`PemContent::check`], and a section that cannot be decoded.
pub fn certificates_from_pem(content: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    PemContent::Certificates.check(content)?;
    let certificates = CertificateDer::pem_slice_iter(content).collect::<std::result::Result<_, _>>();
    certificates.map_err(|cause| error("a certificate cannot be read".to_owned()).with_source(cause))
}

/// Parses the first private key of a PEM file.
///
/// # Errors
///
/// Those of [`PemContent::check`], and a section that cannot be decoded.
pub fn private_key_from_pem(content: &[u8]) -> Result<PrivateKeyDer<'static>> {
    PemContent::PrivateKey.check(content)?;
    let key = PrivateKeyDer::from_pem_slice(content);
    key.map_err(|cause| error("the key cannot be read".to_owned()).with_source(cause))
}

/// A section of a PEM file.
struct Section<'a> {
    label: &'a [u8],
    /// Whether it has the header of an encrypted key in OpenSSL's older format.
    encrypted: bool,
    /// Whether it has an END line.
    ended: bool,
}

impl<'a> Section<'a> {
    fn printable(&self) -> Option<&'a str> {
        let is_printable = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" .#-".contains(byte);
        let fits = self.label.len() <= MAX_LABEL_BYTES && self.label.iter().all(is_printable);
        std::str::from_utf8(self.label).ok().filter(|_| fits)
    }
}

fn sections(content: &[u8]) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in content.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let label = line.strip_prefix(b"-----BEGIN ").and_then(|rest| rest.trim_ascii_end().strip_suffix(b"-----"));
        if let Some(label) = label {
            sections.push(Section { label, encrypted: false, ended: false });
        } else if let Some(section) = sections.last_mut() {
            section.encrypted |= line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED");
            section.ended |= line.starts_with(b"-----END ");
        }
    }
    sections
}

/// The binary formats of certificates and keys.
enum Der {
    Certificate,
    Key,
    Pkcs12,
    Other,
}

impl Der {
    /// Recognizes `content` by its first elements. `None` if it is not a sequence in DER.
    fn of(content: &[u8]) -> Option<Self> {
        let (length, body) = length(content.strip_prefix(&[SEQUENCE])?)?;
        if length != body.len() {
            return None;
        }
        Some(match body {
            [INTEGER, 1, 3, ..] => Self::Pkcs12,
            [INTEGER, 1, 0 | 1, ..] => Self::Key,
            [SEQUENCE, rest @ ..] => match self::length(rest)?.1 {
                // The algorithm of an encrypted key, or the fields of a certificate.
                [OBJECT_IDENTIFIER, ..] => Self::Key,
                _ => Self::Certificate,
            },
            _ => Self::Other,
        })
    }

    fn error(&self) -> Error {
        let (what, command) = match self {
            Self::Certificate => ("a certificate in DER", "openssl x509 -inform der -in FILE -out NEW"),
            Self::Key => ("a key in DER", "openssl pkey -inform der -in FILE -out NEW"),
            Self::Pkcs12 => ("PKCS #12", "openssl pkcs12 -in FILE -nodes -out NEW"),
            Self::Other => return error("expected PEM, found another format in DER".to_owned()),
        };
        error(format!("expected PEM, found {what}")).with_advice(format!("convert it with `{command}`"))
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// Splits `bytes` into the length that they begin with and the rest.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
    Some((digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest))
}

fn encrypted() -> Error {
    error("the key is encrypted".to_owned()).with_advice("decrypt it with `openssl pkey -in FILE -out NEW`")
}

fn error(message: String) -> Error {
    Error::new(ErrorKind::BadConfiguration, message)
}

#[cfg(test)]
mod tests {
    use super::PemContent::{Certificates, PrivateKey};
    use super::*;

    fn section(label: &str, lines: &str) -> String {
        format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
    }

    fn problem(expected: PemContent, content: impl AsRef<[u8]>) -> String {
        expected.check(content.as_ref()).unwrap_err().to_string()
    }

    #[test]
    fn plain_sections_are_accepted() {
        let certificate = section("CERTIFICATE", "AAAA");
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let key = section(label, "AAAA");
            assert!(PrivateKey.check(key.as_bytes()).is_ok(), "{label}");
            let both = format!("{certificate}{key}").replace('\n', "\r\n");
            assert!(PrivateKey.check(both.as_bytes()).is_ok() && Certificates.check(both.as_bytes()).is_ok());
        }
        let parameters = section("EC PARAMETERS", "AAAA") + &section("EC PRIVATE KEY", "AAAA");
        assert!(PrivateKey.check(parameters.as_bytes()).is_ok());
    }

    #[test]
    fn encrypted_keys_are_named_in_both_formats() {
        let sentence = "the key is encrypted; decrypt it with `openssl pkey -in FILE -out NEW`";
        assert_eq!(problem(PrivateKey, section("ENCRYPTED PRIVATE KEY", "AAAA")), sentence);
        let header = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA";
        for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            assert_eq!(problem(PrivateKey, section(label, header)), sentence);
            assert_eq!(problem(PrivateKey, section(label, header).replace('\n', "\r\n")), sentence);
        }
    }

    #[test]
    fn swapped_and_other_files_list_their_sections() {
        let key = section("PRIVATE KEY", "c2VjcmV0");
        let found = "expected PEM with at least one CERTIFICATE section, found PRIVATE KEY";
        assert_eq!(problem(Certificates, &key), found);
        let certificate = section("CERTIFICATE", "AAAA");
        assert_eq!(problem(PrivateKey, certificate), "expected PEM with a PRIVATE KEY section, found CERTIFICATE");
        let nothing = "expected PEM with at least one CERTIFICATE section";
        for content in ["", "nothing", "-----BEGIN CERTIFICATE", "-----BEGIN \u{1b}[31m-----\n-----END X-----"] {
            assert_eq!(problem(Certificates, content), nothing, "{content:?}");
        }
        let many = section("X", "").repeat(9);
        assert_eq!(problem(Certificates, many), format!("{nothing}, found X, X, X, X"));
    }

    #[test]
    fn incomplete_files_and_byte_order_marks_are_reported() {
        let certificate = section("CERTIFICATE", "AAAA");
        let (begin, _) = certificate.split_once("-----END").unwrap();
        let incomplete = "the CERTIFICATE section has no END line; the file may be incomplete";
        assert_eq!(problem(Certificates, begin), incomplete);
        assert_eq!(problem(Certificates, format!("{certificate}{begin}")), incomplete);
        assert_eq!(problem(PrivateKey, section("PRIVATE KEY", "AAAA") + begin), incomplete);
        assert_eq!(
            problem(Certificates, format!("\u{feff}{certificate}")),
            "the file begins with a byte order mark; save it without one"
        );
    }

    #[test]
    fn der_is_recognized_by_its_first_elements() {
        let der = |body: &[u8]| [&[SEQUENCE, 0x82, 0, u8::try_from(body.len()).unwrap()], body].concat();
        let certificate = der(&[SEQUENCE, 3, 0xa0, 1, 2, SEQUENCE, 0]);
        let advice = "convert it with `openssl x509 -inform der -in FILE -out NEW`";
        assert_eq!(problem(Certificates, &certificate), format!("expected PEM, found a certificate in DER; {advice}"));
        for key in [der(&[INTEGER, 1, 0, 4]), der(&[INTEGER, 1, 1, 4]), der(&[SEQUENCE, 2, OBJECT_IDENTIFIER, 0])] {
            let advice = "convert it with `openssl pkey -inform der -in FILE -out NEW`";
            assert_eq!(problem(PrivateKey, key), format!("expected PEM, found a key in DER; {advice}"));
        }
        assert!(problem(PrivateKey, der(&[INTEGER, 1, 3])).contains("found PKCS #12; convert it with `openssl pkcs12"));
        assert!(problem(Certificates, der(&[OBJECT_IDENTIFIER, 0])).contains("another format in DER"));
        // Truncated, or not DER at all.
        for length in 0..certificate.len() {
            let problem = problem(Certificates, &certificate[..length]);
            assert!(problem.starts_with("expected PEM with at least"), "{length}: {problem}");
        }
        assert!(problem(Certificates, [SEQUENCE, 0xff, 0xff]).starts_with("expected PEM with at least"));
    }
}
