//! The client: opened, purged and closed here; its operations have a file each.

use std::mem;
use std::sync::{Arc, OnceLock};

use napi::Env;
use napi_derive::napi;
use oncecode::store::BoxFuture;
use oncecode::{Builder, Error, ErrorKind, Mode, Oncecode, Options, Result};

use crate::bridge::{self, Bridge};
use crate::convert::Text;
use crate::hooks;
use crate::queue::Queue;
use crate::reply::Reply;
use crate::runtime;

/// A client, usable once [`Client::open`] has answered.
#[napi]
pub struct Client {
    queue: Arc<Queue>,
    once: Arc<OnceLock<Oncecode>>,
    /// Whether calls are tried on the JavaScript thread first.
    at_once: bool,
}

#[napi]
impl Client {
    /// A client that is not open yet.
    #[napi(constructor)]
    pub fn new(bridge: &Bridge) -> Self {
        Self { queue: Arc::clone(&bridge.queue), once: Arc::default(), at_once: false }
    }

    /// Opens the store. `options` are JSON; `sends` says how many senders the app has, `tells` whether it listens.
    #[napi]
    pub fn open(&mut self, env: Env, call: u32, url: Text, options: Text, sends: u32, tells: bool) {
        // Memory answers without waiting. A listener must know its call until it is told: no short cut then.
        self.at_once = url.0.trim_start().starts_with("memory:") && !tells;
        let make = move || Ok(Oncecode::builder(url).options(Options::from_json(&options.0)?));
        self.open_with(&env, call, make, sends, tells);
    }

    /// Opens what the environment names.
    #[napi]
    pub fn open_from_env(&self, env: Env, call: u32, sends: u32, tells: bool) {
        self.open_with(&env, call, Oncecode::from_env, sends, tells);
    }

    /// Whether it is open in development mode.
    #[napi]
    pub fn is_development(&self) -> bool {
        self.once.get().is_some_and(|once| once.mode() == Mode::Development)
    }

    /// Deletes expired rows.
    #[napi]
    pub fn purge(&self, env: Env, call: u32, limit: u32) -> Option<Reply> {
        self.run(&env, call, |once| once.purge(limit))
    }

    /// Releases connections.
    #[napi]
    pub fn close(&self, env: Env, call: u32) -> Option<Reply> {
        self.run(&env, call, |once| {
            let closing = once.close();
            Box::pin(async {
                closing.await;
                Ok(())
            })
        })
    }
}

impl Client {
    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    fn open_with(
        &self,
        env: &Env,
        call: u32,
        make: impl FnOnce() -> Result<Builder> + Send + 'static,
        sends: u32,
        tells: bool,
    ) {
        let once = Arc::clone(&self.once);
        let opening = async move {
            let builder = hooks::install(make()?, sends, tells);
            // Nobody else opens this one.
            let _ = once.set(builder.open().await?);
            Ok(())
        };
        bridge::leave(&self.queue, env, call, Box::pin(opening));
    }

    /// Runs an operation. The reply, if it is there at once; otherwise the queue has it later.
    pub(crate) fn run<T>(
        &self,
        env: &Env,
        call: u32,
        operation: impl FnOnce(&Oncecode) -> BoxFuture<'static, Result<T>>,
    ) -> Option<Reply>
    where
        T: Into<Reply> + Send + 'static,
    {
        if self.at_once && self.once.get().is_some_and(|once| !once.sends_in_background()) {
            return self.run_at_once(env, call, operation);
        }
        let Some(once) = self.once.get() else { return Some(Reply::Refused(unopened())) };
        bridge::start(&self.queue, env, call, operation(once));
        None
    }

    /// The same for an operation that mostly is ready at once, and of which no listener is told.
    pub(crate) fn run_at_once<T>(
        &self,
        env: &Env,
        call: u32,
        operation: impl FnOnce(&Oncecode) -> BoxFuture<'static, Result<T>>,
    ) -> Option<Reply>
    where
        T: Into<Reply> + Send + 'static,
    {
        let Some(once) = self.once.get() else { return Some(Reply::Refused(unopened())) };
        bridge::try_now(&self.queue, env, call, operation(once))
    }

    /// Computes what needs no waiting.
    pub(crate) fn now<T: Into<Reply>>(&self, compute: impl FnOnce(&Oncecode) -> Result<T>) -> Reply {
        self.once.get().ok_or_else(unopened).and_then(compute).into()
    }
}

fn unopened() -> Error {
    Error::new(ErrorKind::Closed, "the client is not open")
}

impl Drop for Client {
    fn drop(&mut self) {
        // Connections may say goodbye, for which they need the runtime around them.
        let _inside = runtime::enter();
        drop(mem::take(&mut self.once));
    }
}
