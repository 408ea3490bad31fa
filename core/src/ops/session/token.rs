//! A session's token: base64url of the user's tag (16 bytes), the session's id (16) and a secret (32).
//!
//! The tag finds the record in one step and says nothing about the user; only the secret proves anything.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::error::Result;
use crate::random::Random;
use crate::secret::{Secret, Tag};

/// A token as it was sent to us: its secret is a digest already.
pub(super) struct Token {
    pub(super) tag: Tag,
    pub(super) id: [u8; 16],
    pub(super) digest: [u8; 32],
}

const LENGTH: usize = 64;
const TEXT: usize = 86;

impl Token {
    /// A new token and what is kept of it.
    pub(super) fn make(tag: &Tag, id: &[u8; 16], random: &dyn Random) -> Result<(Secret, [u8; 32])> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        bytes[..16].copy_from_slice(&tag.0);
        bytes[16..32].copy_from_slice(id);
        random.fill(&mut bytes[32..])?;
        Ok((Secret::from(URL_SAFE_NO_PAD.encode(&bytes[..])), sha256(&bytes[32..])))
    }

    /// `None`: nothing that we made.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        let whole = text.len() == TEXT && URL_SAFE_NO_PAD.decode_slice(text, &mut bytes[..]).ok()? == LENGTH;
        let (tag, rest) = bytes.split_first_chunk::<16>().filter(|_| whole)?;
        let (id, secret) = rest.split_first_chunk::<16>()?;
        Some(Self { tag: Tag(*tag), id: *id, digest: sha256(secret) })
    }
}

pub(super) fn write_id(id: &[u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(id)
}

pub(super) fn read_id(text: &str) -> Option<[u8; 16]> {
    if text.len() != 22 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn a_token_is_read_back_and_nothing_else_is() {
        let (token, digest) = Token::make(&Tag([1; 16]), &[2; 16], &SystemRandom).expect("a token");
        let read = Token::read(token.expose()).expect("ours");
        assert!(read.tag == Tag([1; 16]) && read.id == [2; 16] && read.digest == digest);
        let longer = format!("{}A", token.expose());
        let foreign = token.expose().replace(|c: char| c.is_ascii_digit(), "+");
        for bad in
            ["", "A", &longer, &token.expose()[1..], &"ä".repeat(43), &"=".repeat(86), &foreign.replacen('A', "/", 1)]
        {
            assert!(Token::read(bad).is_none(), "{bad}");
        }
        assert_eq!(read_id(&write_id(&[7; 16])), Some([7; 16]));
    }
}
