//! Recovery codes: drawn, hashed, each used once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;

use super::record;
use super::totp::RecoveryCodes;
use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::random::Alphabet;
use crate::secret::{Digest, Secret};
use crate::store::When;

/// 45 bits: with the failure budget nobody guesses one, and the hash is keyed.
const LENGTH: usize = 10;

pub(super) fn make(core: &Core, user: &str, count: usize) -> Result<RecoveryCodes> {
    if !(1..=100).contains(&count) {
        return Err(Error::argument("count must be 1 to 100"));
    }
    let tag = core.ring.tag(&["recovery", user]);
    let drawn = (0..count).map(|_| Alphabet::Letters.draw(LENGTH, &*core.random));
    let drawn: Vec<Secret> = drawn.collect::<Result<_>>()?;
    let hashes = drawn.iter().map(|code| text(&core.ring.digest(&tag, "recovery", code))).collect();
    let shown =
        |code: &Secret| Secret::from(format!("{}-{}", &code.expose()[..LENGTH / 2], &code.expose()[LENGTH / 2..]));
    Ok(RecoveryCodes { codes: drawn.iter().map(shown).collect(), hashes })
}

/// What a person typed.
pub(super) fn read(typed: &str) -> Result<Secret> {
    let wrong = || Error::new(ErrorKind::InvalidCode, format!("a recovery code has {LENGTH} letters and digits"));
    Alphabet::Letters.read(typed, LENGTH).ok_or_else(wrong)
}

/// The one of `hashes` that is this code's.
pub(super) fn find(core: &Core, user: &str, code: &Secret, hashes: Vec<String>) -> Option<String> {
    let candidates = core.ring.candidates(&core.ring.tag(&["recovery", user]), "recovery", code);
    let candidates: Vec<_> = candidates.iter().map(text).collect();
    hashes.into_iter().find(|hash| candidates.contains(hash))
}

/// Whether nobody has used it before.
pub(super) async fn first_use(core: &Core, user: &str, hash: &str) -> Result<bool> {
    let key = record::key(core, "recovery", "user", &[user, hash])?;
    let grain = core.store.granularity().max(Duration::from_millis(1));
    core.store.put(&key, b"used", record::LONGEST.max(grain), When::Absent).await
}

/// The key's fingerprint, so that secrets may rotate, and the digest.
fn text(digest: &Digest) -> String {
    format!("{:08x}.{}", digest.key, URL_SAFE_NO_PAD.encode(digest.bytes))
}
