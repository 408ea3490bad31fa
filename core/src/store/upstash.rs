//! `upstash+https://` and `upstash+http://`: the scripts over Upstash's REST protocol.
//!
//! A command is a JSON array, and JSON holds text only, while the scripts take packed bytes. So their arguments go in
//! hexadecimal, and the first lines of each script (`hex.lua`) turn them back before anything else sees them: what is
//! stored is byte for byte what `redis://` stores, so one app may use either protocol on the same server. Hexadecimal
//! since it is nothing but ASCII to every JSON reader on the way. Answers come in base64 (`Upstash-Encoding`), which the
//! server does by itself. Keys are ASCII anyway.
//!
//! Each operation is one script, so `/pipeline` and `/multi-exec` have nothing to do here; and a script goes to the
//! primary even where a database has read replicas. Nothing is sent twice: a reply that was lost may be that of work
//! that was done.

mod address;
mod reply;
mod rest;

use self::rest::Rest;
use super::lua::{Answer, LuaStore, Script, Wire};
use super::*;

/// A Redis database behind REST.
pub(crate) type UpstashStore = LuaStore<Rest>;

impl UpstashStore {
    /// Has bytes of every kind go there and back, so that a wrong token or address is told at the start.
    pub(crate) async fn open(url: &str, options: StoreOptions) -> Result<Self> {
        let rest = Rest::new(url, options.connect)?;
        match tokio::time::timeout(options.deadline, rest.greet()).await {
            Ok(answer) => answer.map(|()| Self(rest)),
            Err(_) => Err(deadline::late(options.deadline)),
        }
    }
}

impl Wire for Rest {
    async fn eval(&self, script: &Script, keys: &[&Key], args: &[&[u8]]) -> Result<Answer> {
        let source = &*script.hex;
        match self.command("EVALSHA", &source.digest, keys, args).await? {
            Some(answer) => Ok(answer),
            // It did nothing; this loads the script as well.
            None => self.command("EVAL", source.text, keys, args).await?.ok_or_else(reply::strange),
        }
    }

    async fn tell(&self, _server: usize, words: &[&str]) -> Result<Answer> {
        self.post(words).await?.ok_or_else(reply::strange)
    }

    fn hang_up(&self) {
        self.close();
    }
}
