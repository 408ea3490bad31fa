//! The scripts, and the names that servers know them by.

use std::sync::LazyLock;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// A script in both of its forms.
#[cfg_attr(not(all(feature = "redis", feature = "upstash")), allow(dead_code))]
pub(in crate::store) struct Script {
    /// Arguments are the bytes that they are.
    pub(in crate::store) binary: LazyLock<Source>,
    /// Arguments come in hexadecimal, see `hex.lua`.
    pub(in crate::store) hex: LazyLock<Source>,
}

/// A script's text and its SHA-1, which is how Redis names it.
pub(in crate::store) struct Source {
    pub(in crate::store) text: &'static str,
    pub(in crate::store) digest: String,
}

macro_rules! script {
    ($name:ident, $($file:literal),+) => {
        pub(in crate::store) static $name: Script = Script {
            binary: LazyLock::new(|| Source::new(concat!($(include_str!($file)),+))),
            hex: LazyLock::new(|| Source::new(concat!(include_str!("hex.lua"), $(include_str!($file)),+))),
        };
    };
}

script!(ISSUE, "gate.lua", "fresh.lua", "record.lua", "issue.lua", "write.lua");
script!(ATTEMPT, "gate.lua", "read.lua", "record.lua", "attempt.lua", "write.lua");
script!(HIT, "hit.lua");
script!(RATE, "rate.lua");
script!(GET, "get.lua");
script!(PUT, "put.lua");
script!(TAKE, "take.lua");
script!(REPLACE, "replace.lua");
script!(COUNT, "count.lua");
script!(PROBE, "probe.lua");
script!(REISSUE, "gate.lua", "read.lua", "record.lua", "issue.lua", "write.lua");
script!(DETACH, "detach.lua");
script!(FORGET, "forget.lua");
script!(RESTORE, "restore.lua");
#[cfg(feature = "upstash")]
script!(GREET, "greet.lua");

impl Source {
    fn new(text: &'static str) -> Self {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        Self { text, digest: digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_one_that_redis_computes() {
        assert_eq!(Source::new("return 1").digest, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }
}
