//! What travels encrypted beside a code's digest.

use serde_json::Value;
use zeroize::Zeroizing;

use crate::client::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::identifier::Identifier;
use crate::key::Entity;
use crate::random::Random;
use crate::secret::Secret;

/// What comes back when the code is right.
pub(super) struct Payload {
    pub(super) to: Identifier,
    pub(super) data: Option<Value>,
    /// Only where the policy keeps codes for resending.
    pub(super) code: Option<Secret>,
}

/// Larger data belongs into a table of the app's.
const MOST_DATA: usize = 8192;

impl Payload {
    /// Length and identifier, length and code, then the data as JSON.
    pub(super) fn seal(&self, core: &Core, entity: &Entity, random: &dyn Random) -> Result<Vec<u8>> {
        let data = self.data.as_ref().map(Value::to_string).unwrap_or_default();
        if data.len() > MOST_DATA {
            return Err(Error::argument(format!("data must be at most {MOST_DATA} bytes of JSON")));
        }
        let (to, code) = (self.to.as_str(), self.code.as_ref().map_or("", Secret::expose));
        let mut plain = Zeroizing::new(Vec::with_capacity(3 + to.len() + code.len() + data.len()));
        plain.extend_from_slice(&(to.len() as u16).to_le_bytes());
        plain.extend_from_slice(to.as_bytes());
        plain.push(code.len() as u8);
        plain.extend_from_slice(code.as_bytes());
        plain.extend_from_slice(data.as_bytes());
        core.ring.seal(&entity.tag, &plain, random)
    }

    pub(super) fn open(core: &Core, entity: &Entity, sealed: &[u8]) -> Result<Self> {
        let plain = core.ring.unseal(&entity.tag, sealed).ok_or_else(|| {
            Error::new(ErrorKind::Config, "the code was issued under a secret that is no longer in `secret`")
        })?;
        parse(&plain).ok_or_else(|| Error::new(ErrorKind::Internal, "a payload of unknown form"))
    }
}

fn parse(plain: &[u8]) -> Option<Payload> {
    let (length, rest) = plain.split_first_chunk::<2>()?;
    let (to, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
    let (length, rest) = rest.split_first()?;
    let (code, data) = rest.split_at_checked((*length).into())?;
    let text = |bytes| std::str::from_utf8(bytes).ok();
    Some(Payload {
        to: Identifier::from_normalised(text(to)?),
        code: if code.is_empty() { None } else { Some(Secret::from(text(code)?)) },
        data: if data.is_empty() { None } else { Some(serde_json::from_slice(data).ok()?) },
    })
}
