//! Starts operations for a JavaScript environment.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use napi::Env;
use napi::bindgen_prelude::Function;
use napi_derive::napi;
use oncecode::Result;
use oncecode::host::EventLoop;
use oncecode::store::BoxFuture;

use crate::caller::{self, Caller};
use crate::log;
use crate::queue::{Batch, News, Queue};
use crate::reply::Reply;
use crate::{runtime, watch};

/// Where the calls of one JavaScript environment come back.
#[napi]
pub struct Bridge {
    pub(crate) queue: Arc<Queue>,
}

#[napi]
impl Bridge {
    /// `reader` is called with all news that are ready, in an array with eight places each. Whether libuv itself is
    /// underneath, which watches sockets.
    #[napi(constructor)]
    pub fn new(
        #[napi(ts_arg_type = "(news: unknown[]) => void")] reader: Function<'_, Batch, ()>,
        libuv: bool,
    ) -> napi::Result<Self> {
        log::install();
        Queue::new(&reader, if libuv { EventLoop::new() } else { EventLoop::blind() }).map(|queue| Self { queue })
    }

    /// Sends what the calls of one turn have to send.
    #[napi]
    pub fn end_turn(&self, env: Env) {
        for watch in runtime::end_turn(&self.queue.event_loop) {
            watch::watch(env.raw(), &self.queue, watch);
        }
    }
}

/// Runs an operation on the runtime; its reply comes through the queue.
pub(crate) fn start<T>(queue: &Arc<Queue>, env: &Env, call: u32, operation: BoxFuture<'static, Result<T>>)
where
    T: Into<Reply> + Send + 'static,
{
    spawn(queue, env, call, caller::run(caller_of(queue, call), operation));
}

/// The same for one that computes for long before it first waits, such as opening a client.
pub(crate) fn leave<T>(queue: &Arc<Queue>, env: &Env, call: u32, operation: BoxFuture<'static, Result<T>>)
where
    T: Into<Reply> + Send + 'static,
{
    runtime::leave(replying(queue, env, call, caller::run(caller_of(queue, call), operation)));
}

/// The same for an operation that may well be ready at once: then this is its reply, and the queue gets none.
pub(crate) fn try_now<T>(
    queue: &Arc<Queue>,
    env: &Env,
    call: u32,
    operation: BoxFuture<'static, Result<T>>,
) -> Option<Reply>
where
    T: Into<Reply> + Send + 'static,
{
    let mut running = Box::pin(caller::run(caller_of(queue, call), operation));
    let inside = runtime::enter();
    let polled = running.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    drop(inside);
    match polled {
        Poll::Ready(outcome) => {
            queue.expect_news(env);
            Some(outcome.into())
        }
        Poll::Pending => {
            spawn(queue, env, call, running);
            None
        }
    }
}

/// Runs an operation that may take for ever; waiting for it does not keep the process alive.
pub(crate) fn start_unawaited<T>(queue: &Arc<Queue>, call: u32, operation: BoxFuture<'static, Result<T>>)
where
    T: Into<Reply> + Send + 'static,
{
    let running = caller::run(caller_of(queue, call), operation);
    let news = Arc::clone(queue);
    runtime::start(&queue.event_loop, async move { news.push(call, News::Unawaited(running.await.into())) });
}

fn spawn<T>(queue: &Arc<Queue>, env: &Env, call: u32, running: impl Future<Output = Result<T>> + Send + 'static)
where
    T: Into<Reply> + Send + 'static,
{
    runtime::start(&queue.event_loop, replying(queue, env, call, running));
}

/// Runs to its end, which the queue gets.
fn replying<T>(
    queue: &Arc<Queue>,
    env: &Env,
    call: u32,
    running: impl Future<Output = Result<T>> + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static
where
    T: Into<Reply> + Send + 'static,
{
    queue.expect_reply(env);
    let queue = Arc::clone(queue);
    async move { queue.push(call, News::Reply(running.await.into())) }
}

fn caller_of(queue: &Arc<Queue>, call: u32) -> Caller {
    Caller { queue: Arc::clone(queue), call }
}
