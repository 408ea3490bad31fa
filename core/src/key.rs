//! The names under which stores keep things.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};
use crate::identifier::Identifier;
use crate::secret::{Keyring, Tag};

/// A key as stores see it: `prefix:kind:{entity}`, at most 250 bytes of printable ASCII without spaces.
///
/// The entity stands in braces, so that all keys of one entity share a Redis Cluster slot.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    #[cfg(any(test, feature = "testkit"))]
    pub(crate) fn named(prefix: &str, name: &str) -> Self {
        Self(format!("{prefix}:test:{{{name}}}"))
    }

    #[cfg(any(test, feature = "testkit"))]
    pub(crate) fn challenge(prefix: &str, name: &str) -> Self {
        Self(format!("{prefix}:code:{{{name}}}"))
    }

    /// What the keys of one client begin with.
    pub(crate) fn prefix(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// The key of something else about the same entity: `prefix:kind-what:{entity}`.
    pub(crate) fn beside(&self, what: &str) -> Self {
        let (kind, entity) = self.0.split_once('{').unwrap_or((&self.0, ""));
        Self(format!("{}-{what}:{{{entity}", kind.trim_end_matches(':')))
    }

    /// The key of the one mark that all clients of a prefix look for in a second store. No entity is called `*`.
    pub(crate) fn mark(&self) -> Self {
        Self(format!("{}:second:{{*}}", self.prefix()))
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a challenge lives here, rather than a value or a counter.
    pub(crate) fn is_challenge(&self) -> bool {
        self.0.split(':').nth(1) == Some("code")
    }

    /// Where the thing waits while it moves to another store. In the same Cluster slot, as the next.
    pub(crate) fn detached(&self) -> Key {
        Key(format!("{}>", self.0))
    }

    /// Notes that something with this fingerprint has been here.
    pub(crate) fn visited(&self, fingerprint: u64) -> Key {
        Key(format!("{}<{fingerprint:016x}", self.0))
    }
}

/// What a key found in a store is for.
pub(crate) enum Found {
    /// A challenge, a value or a counter.
    Own(Key),
    /// The same, on its way to another store; the key is the one it had.
    Detached(Key),
    /// A note of [`Key::visited`].
    Mark,
}

impl Found {
    /// `None`: no key of ours.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if !text.is_ascii() || text.len() > 250 {
            return None;
        }
        match text.rsplit_once('}')? {
            (_, "") => Some(Found::Own(Key(text.to_owned()))),
            (key, ">") => Some(Found::Detached(Key(format!("{key}}}")))),
            (_, end) if end.starts_with('<') => Some(Found::Mark),
            _ => None,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A readable key holds an address.
        f.write_str("Key(…)")
    }
}

/// Makes keys: one prefix, one rule.
#[derive(Debug)]
pub(crate) struct Keyspace {
    prefix: String,
    readable: bool,
}

/// One identifier for one purpose: where its key is and what its digests are bound to.
pub(crate) struct Entity {
    pub(crate) tag: Tag,
    pub(crate) key: Key,
    name: String,
}

impl Keyspace {
    /// `prefix` separates apps that share a store; `readable` keeps addresses legible in keys, for debugging.
    pub(crate) fn new(prefix: &str, readable: bool) -> Result<Self> {
        // Without a separator in it, prefix `a` and kind `b:c` cannot meet prefix `a:b` and kind `c`.
        let plain = prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if prefix.is_empty() || prefix.len() > 40 || !plain {
            return Err(Error::config("keyPrefix must be 1 to 40 letters, digits, '_', '-' or '.'"));
        }
        Ok(Self { prefix: prefix.to_owned(), readable })
    }

    /// What all keys begin with.
    pub(crate) fn prefix(&self) -> String {
        format!("{}:", self.prefix)
    }

    /// The entity of an identifier and a purpose.
    pub(crate) fn entity(&self, ring: &Keyring, purpose: &str, to: &Identifier) -> Entity {
        let tag = ring.tag(&["code", purpose, to.as_str()]);
        let readable = || format!("{}/{}", escape(purpose), escape(to.as_str()));
        let name = Some(self.readable).filter(|r| *r).map(|_| readable()).filter(|name| name.len() < 180);
        self.named(tag, name.unwrap_or_else(|| tag.text()))
    }

    /// The key of any other thing that is named by `parts`, always a keyed digest.
    pub(crate) fn key(&self, ring: &Keyring, kind: &str, parts: &[&str]) -> Key {
        self.tagged(kind, &ring.tag(parts))
    }

    /// The key of a thing whose keyed digest is known.
    pub(crate) fn tagged(&self, kind: &str, tag: &Tag) -> Key {
        // Every hit of a limit makes one: no formatter, one allocation.
        Key([&*self.prefix, ":", kind, ":{", &tag.text(), "}"].concat())
    }

    /// The public challenge id: the entity's name and 16 random bytes, so that an id alone finds its entity.
    pub(crate) fn public_id(&self, entity: &Entity, random: &[u8; 16]) -> String {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend_from_slice(random);
        match entity.name == entity.tag.text() {
            true => bytes.extend_from_slice(&entity.tag.0),
            false => bytes.extend_from_slice(entity.name.as_bytes()),
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Undoes [`Keyspace::public_id`]. `None` for anything this keyspace did not make.
    pub(crate) fn read_id(&self, ring: &Keyring, id: &str) -> Option<(Entity, [u8; 16])> {
        if id.len() > 400 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
        let (random, name) = bytes.split_first_chunk::<16>()?;
        if let Ok(tag) = <[u8; 16]>::try_from(name) {
            return Some((self.named(Tag(tag), Tag(tag).text()), *random));
        }
        let (purpose, to) = std::str::from_utf8(name).ok().filter(|_| self.readable)?.split_once('/')?;
        let to = Identifier::from_normalised(&unescape(to)?);
        Some((self.entity(ring, &unescape(purpose)?, &to), *random))
    }

    fn named(&self, tag: Tag, name: String) -> Entity {
        Entity { tag, key: Key(format!("{}:code:{{{name}}}", self.prefix)), name }
    }
}

/// Percent-escapes all but characters that mean nothing to any store.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'@' | b'.' | b'_' | b'-' => {
                escaped.push(char::from(byte))
            }
            _ => escaped.push_str(&format!("%{byte:02x}")),
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let pair = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn ring() -> Keyring {
        Keyring::new(&[Secret::from("s")], None).expect("keyring")
    }

    #[test]
    fn an_id_finds_its_entity_with_hashed_and_with_readable_keys() {
        let to = Identifier::Email("a{b}%@example.com".into());
        for readable in [false, true] {
            let space = Keyspace::new("oncecode", readable).expect("keyspace");
            let entity = space.entity(&ring(), "sign/up", &to);
            assert_eq!(entity.key.as_str().contains("example"), readable);
            let (found, random) = space.read_id(&ring(), &space.public_id(&entity, &[7; 16])).expect("readable id");
            assert!(found.key == entity.key && found.tag == entity.tag && random == [7; 16]);
            for forged in ["", "x", "!!!!", "AAAA", &"A".repeat(500)] {
                assert!(space.read_id(&ring(), forged).is_none(), "{forged}");
            }
        }
    }

    #[test]
    fn no_prefix_can_reach_into_anothers_keys() {
        for prefix in ["", "a:b", "a*", "a?", "a[b]", "a{b}", "a b", "a%", "a\0", "é", &"p".repeat(41)] {
            assert!(Keyspace::new(prefix, false).is_err(), "{prefix:?}");
        }
        let key = |prefix: &str| Keyspace::new(prefix, false).expect(prefix).key(&ring(), "x", &["y"]);
        assert!(key("a") != key("A") && !key("ab").as_str().starts_with("a:"));
    }

    #[test]
    fn keys_fit_memcached_and_sql() {
        let space = Keyspace::new(&"p".repeat(40), true).expect("keyspace");
        let to = Identifier::Email(format!("{}@example.com", "é".repeat(100)));
        let entity = space.entity(&ring(), "login", &to);
        assert!(entity.key.as_str().len() <= 250 && entity.key.as_str().bytes().all(|b| b.is_ascii_graphic()));
    }
}
