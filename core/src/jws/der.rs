//! As much of PEM and DER as keys need.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The label and content of the first PEM block.
pub(super) fn pem(text: &str) -> Option<(&str, Zeroizing<Vec<u8>>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    Some((label, Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?)))
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// The object identifiers of the three kinds of public keys, with what belongs to them.
const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// A public key as its SubjectPublicKeyInfo (RFC 5280) has it.
#[derive(Debug, PartialEq)]
pub(super) enum Public {
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

pub(super) fn public_key(spki: &[u8]) -> Option<Public> {
    let (content, _) = element(SEQUENCE, spki)?;
    let (algorithm, rest) = element(SEQUENCE, content)?;
    let (bits, _) = element(BIT_STRING, rest)?;
    let (0, key) = bits.split_first()? else { return None };
    match algorithm {
        P256 => Some(Public::P256(key.to_vec())),
        ED25519 => Some(Public::Ed25519(key.to_vec())),
        RSA => rsa_public_key(key),
        _ => None,
    }
}

/// PKCS #1's form of an RSA public key.
pub(super) fn rsa_public_key(der: &[u8]) -> Option<Public> {
    let (content, _) = element(SEQUENCE, der)?;
    let (n, rest) = element(INTEGER, content)?;
    let (e, _) = element(INTEGER, rest)?;
    let unsigned = |number: &[u8]| number.strip_prefix(&[0]).unwrap_or(number).to_vec();
    Some(Public::Rsa { n: unsigned(n), e: unsigned(e) })
}

/// The content of the element at the front, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), &rest[2..]),
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_foreign_is_no_key() {
        let (label, spki) = pem(
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
        )
        .expect("pem");
        assert_eq!(label, "PUBLIC KEY");
        assert!(matches!(public_key(&spki), Some(Public::Ed25519(key)) if key.len() == 32));
        for cut in 0..spki.len() {
            assert_eq!(public_key(&spki[..cut]), None, "{cut}");
        }
        for text in ["", "-----BEGIN", "-----BEGIN A-----", "-----BEGIN A-----!-----END A-----"] {
            assert!(pem(text).is_none(), "{text}");
        }
        assert_eq!(public_key(&[0x30, 0x84, 255, 255, 255, 255, 0]), None);
    }
}
