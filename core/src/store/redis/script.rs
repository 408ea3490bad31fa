//! Scripts as commands: by digest, with the source at hand for a server that does not know them.

use redis::{Cmd, Value};

use crate::error::Error;
use crate::key::Key;
use crate::store::lua::{Answer, Source};

/// The usual call.
pub(super) fn by_digest(source: &Source, keys: &[&Key], args: &[&[u8]]) -> Cmd {
    command("EVALSHA", &source.digest, keys, args)
}

/// After a restart, a failover or `SCRIPT FLUSH`. It loads the script as well.
pub(super) fn by_source(source: &Source, keys: &[&Key], args: &[&[u8]]) -> Cmd {
    command("EVAL", source.text, keys, args)
}

fn command(name: &str, script: &str, keys: &[&Key], args: &[&[u8]]) -> Cmd {
    let bytes = keys.iter().map(|key| key.as_str().len()).chain(args.iter().map(|arg| arg.len())).sum::<usize>();
    let mut command = Cmd::with_capacity(3 + keys.len() + args.len(), name.len() + script.len() + 4 + bytes);
    command.arg(name).arg(script).arg(keys.len());
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

pub(super) fn answer(value: Value) -> Answer {
    match value {
        Value::Nil => Answer::Nil,
        Value::Okay => Answer::Okay,
        Value::Int(number) => Answer::Int(number),
        Value::BulkString(bytes) => Answer::Bytes(bytes),
        Value::Array(items) => Answer::Array(items.into_iter().map(answer).collect()),
        _ => Answer::Other,
    }
}
