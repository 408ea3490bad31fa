//! Lua scripts by digest, with the source at hand for a server that does not know them.

use redis::Cmd;

use crate::error::Error;
use crate::key::Key;

/// A script and its SHA-1, which is how Redis names it.
pub(super) struct Script {
    source: &'static str,
    digest: String,
}

impl Script {
    pub(super) fn new(source: &'static str) -> Self {
        Self { source, digest: redis::Script::new(source).get_hash().to_owned() }
    }

    /// The usual call.
    pub(super) fn by_digest(&self, keys: &[&Key], args: &[&[u8]]) -> Cmd {
        command("EVALSHA", &self.digest, keys, args)
    }

    /// After a restart, a failover or `SCRIPT FLUSH`. It loads the script as well.
    pub(super) fn by_source(&self, keys: &[&Key], args: &[&[u8]]) -> Cmd {
        command("EVAL", self.source, keys, args)
    }
}

fn command(name: &str, script: &str, keys: &[&Key], args: &[&[u8]]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(keys.len());
    for key in keys {
        command.arg(key.as_str());
    }
    for arg in args {
        command.arg(*arg);
    }
    command
}

/// Whether the server did not know the script, which means that it did nothing.
pub(super) fn is_unknown(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|e| e.downcast_ref::<redis::RedisError>());
    cause.is_some_and(|e| e.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript))
}
