//! Secrets that do not print, and what is derived from them: keyed digests, entity tags and sealed payloads.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{aead, hmac};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::jws::{self, Keys};
use crate::random::Random;

/// A string that is wiped when dropped and never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself. The name makes every use easy to find.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The keyed digest that names an entity (a purpose and an identifier) in keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tag(pub(crate) [u8; 16]);

impl Tag {
    /// 22 characters, safe in any key.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

/// A code's keyed digest and the fingerprint of the key that made it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// Which key of the ring: the first four bytes of a digest under it.
    pub key: u32,
    /// HMAC-SHA-256 over entity, purpose and code.
    pub bytes: [u8; 32],
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest(key {:08x})", self.key)
    }
}

/// One secret, expanded into a key per use so that no digest can stand for another.
struct Key {
    id: u32,
    code: hmac::Key,
    seal: aead::LessSafeKey,
}

/// The secrets in use: the first signs, all are accepted; one names the entities.
pub(crate) struct Keyring {
    keys: Vec<Key>,
    index: hmac::Key,
    tokens: Keys,
    links: Keys,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.keys.len())
    }
}

impl Keyring {
    /// `secrets` newest first; `index` names entities and must outlive rotations (the oldest secret by default), or
    /// live codes and spent budgets are forgotten when it changes.
    pub(crate) fn new(secrets: &[Secret], index: Option<&Secret>) -> Result<Self> {
        let oldest = secrets.last().ok_or_else(|| Error::config("no secret given"))?;
        let keys = secrets.iter().map(Key::new).collect::<Result<_>>()?;
        let index = expand(index.unwrap_or(oldest), "index");
        let signing = |usage| {
            let key = |secret| jws::Key::from_secret(expand(secret, usage).as_ref(), None);
            secrets.iter().map(key).collect::<Result<_>>().map(Keys::new)
        };
        let (tokens, links) = (signing("token")?, signing("link")?);
        Ok(Self { keys, index: hmac::Key::new(hmac::HMAC_SHA256, index.as_ref()), tokens, links })
    }

    /// What signs tokens where the options name no keys.
    pub(crate) fn token_keys(&self) -> &Keys {
        &self.tokens
    }

    /// What signs links.
    pub(crate) fn link_keys(&self) -> &Keys {
        &self.links
    }

    /// Names the entity of `parts`. Each part is length-prefixed: `a` + `bc` is not `ab` + `c`.
    pub(crate) fn tag(&self, parts: &[&str]) -> Tag {
        let digest = sign(&self.index, parts.iter().map(|p| p.as_bytes()));
        let mut tag = [0; 16];
        tag.copy_from_slice(&digest.as_ref()[..16]);
        Tag(tag)
    }

    /// The digest to store for a new code.
    pub(crate) fn digest(&self, tag: &Tag, purpose: &str, code: &Secret) -> Digest {
        self.keys[0].digest(tag, purpose, code)
    }

    /// A digest per key of the ring, for a code that was typed.
    pub(crate) fn candidates(&self, tag: &Tag, purpose: &str, code: &Secret) -> Vec<Digest> {
        self.keys.iter().map(|key| key.digest(tag, purpose, code)).collect()
    }

    /// Encrypts and authenticates `plain`, bound to `tag` (ChaCha20-Poly1305, RFC 8439): key id, nonce, ciphertext.
    pub(crate) fn seal(&self, tag: &Tag, plain: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
        let key = &self.keys[0];
        let mut nonce = [0; aead::NONCE_LEN];
        random.fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(4 + aead::NONCE_LEN + plain.len() + 16);
        sealed.extend_from_slice(&key.id.to_le_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let body = 4 + aead::NONCE_LEN;
        let mac = key
            .seal
            .seal_in_place_separate_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(tag.0),
                &mut sealed[body..],
            )
            .map_err(|_| Error::new(ErrorKind::Internal, "could not seal a payload"))?;
        sealed.extend_from_slice(mac.as_ref());
        Ok(sealed)
    }

    /// Undoes [`Keyring::seal`]. `None` when it was sealed under a secret that is no longer in the ring, or altered.
    pub(crate) fn unseal(&self, tag: &Tag, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (id, rest) = sealed.split_first_chunk::<4>()?;
        let (nonce, body) = rest.split_first_chunk::<{ aead::NONCE_LEN }>()?;
        let key = self.keys.iter().find(|k| k.id == u32::from_le_bytes(*id))?;
        let mut plain = Zeroizing::new(body.to_vec());
        let nonce = aead::Nonce::assume_unique_for_key(*nonce);
        let length = key.seal.open_in_place(nonce, aead::Aad::from(tag.0), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl Key {
    fn new(secret: &Secret) -> Result<Self> {
        let code = hmac::Key::new(hmac::HMAC_SHA256, expand(secret, "code").as_ref());
        let seal = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, expand(secret, "seal").as_ref())
            .map_err(|_| Error::new(ErrorKind::Internal, "could not derive a key"))?;
        let fingerprint = expand(secret, "id");
        let mut id = [0; 4];
        id.copy_from_slice(&fingerprint.as_ref()[..4]);
        Ok(Self { id: u32::from_le_bytes(id), code, seal: aead::LessSafeKey::new(seal) })
    }

    fn digest(&self, tag: &Tag, purpose: &str, code: &Secret) -> Digest {
        let signed = sign(&self.code, [&tag.0[..], purpose.as_bytes(), code.expose().as_bytes()].into_iter());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(signed.as_ref());
        Digest { key: self.id, bytes }
    }
}

/// A 32-byte subkey for one use.
fn expand(secret: &Secret, usage: &str) -> hmac::Tag {
    let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::sign(&root, format!("oncecode/v1/{usage}").as_bytes())
}

fn sign<'a>(key: &hmac::Key, parts: impl Iterator<Item = &'a [u8]>) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u32).to_le_bytes());
        context.update(part);
    }
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    fn ring(secrets: &[&str]) -> Keyring {
        let secrets: Vec<_> = secrets.iter().map(|s| Secret::from(*s)).collect();
        Keyring::new(&secrets, None).expect("keyring")
    }

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "Secret(…)");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let ring = ring(&["s"]);
        assert!(ring.tag(&["a", "bc"]) != ring.tag(&["ab", "c"]));
    }

    #[test]
    fn parts_of_any_length_are_signed_as_they_stand() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        let long = [7; 300];
        for lengths in [[0, 0, 0], [1, 2, 3], [120, 1, 3], [120, 4, 0], [124, 0, 5], [125, 9, 300], [300, 128, 124]] {
            let parts = lengths.map(|length| &long[..length]);
            let plain: Vec<u8> = parts.iter().flat_map(|p| [&(p.len() as u32).to_le_bytes()[..], p].concat()).collect();
            assert_eq!(sign(&key, parts.into_iter()).as_ref(), hmac::sign(&key, &plain).as_ref(), "{lengths:?}");
        }
    }

    #[test]
    fn who_has_the_store_but_not_the_secret_can_try_no_code() {
        let (ours, other) = (ring(&["ours"]), ring(&["other"]));
        let (tag, code) = (ours.tag(&["code", "login", "+15551234567"]), Secret::from("012345"));
        let stored = ours.digest(&tag, "login", &code);
        assert!(!other.candidates(&tag, "login", &code).iter().any(|digest| digest.bytes == stored.bytes));
        assert!(tag != other.tag(&["code", "login", "+15551234567"]), "nor an address");
        let plain = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        for guess in ["012345", "login012345", "+15551234567012345", "login+15551234567012345"] {
            assert_ne!(stored.bytes, plain(guess).as_ref());
        }
        let elsewhere = ours.tag(&["code", "login", "+15551234568"]);
        assert!(stored != ours.digest(&elsewhere, "login", &code), "one code of two users looks like two");
    }

    #[test]
    fn a_rotated_ring_accepts_old_codes_and_opens_old_seals() {
        let (old, new) = (ring(&["old"]), ring(&["new", "old"]));
        let tag = old.tag(&["login", "+15551234567"]);
        assert!(tag == new.tag(&["login", "+15551234567"]), "entities keep their names");
        let stored = old.digest(&tag, "login", &Secret::from("012345"));
        assert!(new.candidates(&tag, "login", &Secret::from("012345")).contains(&stored));
        let sealed = old.seal(&tag, b"payload", &SystemRandom).expect("seal");
        assert_eq!(new.unseal(&tag, &sealed).expect("opens").as_slice(), b"payload");
        assert!(new.unseal(&new.tag(&["reset", "+15551234567"]), &sealed).is_none(), "bound to its entity");
    }
}
