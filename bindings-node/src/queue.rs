//! What running calls have to tell, gathered for the JavaScript environment that made them.

use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use napi::bindgen_prelude::{External, Function, ToNapiValue};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, sys};
use oncecode::host::EventLoop;
use oncecode::{Event, Message};
use tokio::sync::oneshot;

use crate::convert::Row;
use crate::hooks;
use crate::reader::Reader;
use crate::reply::Reply;
use crate::runtime;

/// Places in an array for one piece of news: the call's number, a tag and up to six values.
pub(crate) const WIDTH: usize = 8;

/// What a call tells the environment that made it.
pub enum News {
    Reply(Reply),
    /// The reply of a call that is not counted.
    Unawaited(Reply),
    Send(Box<Message>, oneshot::Sender<hooks::Outcome>, u32),
    Event(Box<Event>),
    Warning(String),
    /// Something of this call outlives it.
    Outlived,
    /// And has come to its end.
    Ended,
}

/// Calls a JavaScript function from any thread. Does not keep the process alive by itself.
type Wake = ThreadsafeFunction<(), (), Batch, Status, false, true>;

/// The news of one environment.
pub(crate) struct Queue {
    pub(crate) event_loop: EventLoop,
    reader: Reader,
    news: Mutex<Vec<(u32, News)>>,
    wake: OnceLock<Wake>,
    /// Calls without a reply, and what outlives them; they keep the process alive. It rises from 0 and falls to 0 on the
    /// JavaScript thread only.
    calls: AtomicU32,
}

impl Queue {
    /// A queue whose news `reader` gets, all that there are at once.
    pub(crate) fn new(reader: &Function<'_, Batch, ()>, event_loop: EventLoop) -> napi::Result<Arc<Self>> {
        let queue = Arc::new(Self {
            event_loop,
            reader: Reader::new(reader)?,
            news: Mutex::default(),
            wake: OnceLock::new(),
            calls: AtomicU32::new(0),
        });
        let weak = Arc::downgrade(&queue);
        let builder = reader.build_threadsafe_function::<()>().weak::<true>();
        let wake = builder.build_callback(move |context| Ok(Self::drain(&weak, &context.env)))?;
        let _ = queue.wake.set(wake);
        Ok(queue)
    }

    /// Adds news. The reader is woken for the first only: it takes along whatever comes until it runs.
    pub(crate) fn push(self: &Arc<Self>, call: u32, news: News) {
        let mut waiting = self.lock();
        waiting.push((call, news));
        let first = waiting.len() == 1;
        drop(waiting);
        if first {
            runtime::wake_soon(self);
        }
    }

    /// Wakes the reader.
    pub(crate) fn wake(&self) {
        if let Some(wake) = self.wake.get() {
            // An environment that is ending needs no news.
            let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Has the reader look now, from outside of JavaScript on its thread.
    #[cfg_attr(not(unix), allow(dead_code, reason = "no socket is watched there"))]
    pub(crate) fn deliver(self: &Arc<Self>, env: &Env) {
        if !self.lock().is_empty() {
            // An environment that is ending takes no news.
            let _ = self.reader.call(env, || Self::drain(&Arc::downgrade(self), env));
        }
    }

    /// A call began whose reply will come through here.
    pub(crate) fn expect_reply(&self, env: &Env) {
        if self.calls.fetch_add(1, Ordering::Relaxed) == 0 {
            self.keep_alive(env, true);
        }
    }

    /// Something outlives the call that now runs, and keeps the process alive as the call does.
    pub(crate) fn expect_more(self: &Arc<Self>, call: u32) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.push(call, News::Outlived);
    }

    /// Keeps the process alive for news without a call that would.
    pub(crate) fn expect_news(&self, env: &Env) {
        if !self.lock().is_empty() {
            self.keep_alive(env, true);
        }
    }

    fn drain(queue: &Weak<Self>, env: &Env) -> Batch {
        let Some(queue) = queue.upgrade() else { return Batch(Vec::new()) };
        let news = mem::take(&mut *queue.lock());
        let ends = news.iter().filter(|(_, news)| matches!(news, News::Reply(_) | News::Ended)).count() as u32;
        if queue.calls.fetch_sub(ends, Ordering::Relaxed) == ends {
            queue.keep_alive(env, false);
        }
        Batch(news)
    }

    fn keep_alive(&self, env: &Env, yes: bool) {
        let change = if yes { sys::napi_ref_threadsafe_function } else { sys::napi_unref_threadsafe_function };
        let Some(wake) = self.wake.get() else { return };
        wake.handle.with_read_aborted(|aborted| {
            if !aborted {
                // SAFETY: this is the JavaScript thread, and the function was not released.
                unsafe { change(env.raw(), wake.handle.get_raw()) };
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u32, News)>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that was ready at one wake-up: an array with [`WIDTH`] places each.
pub struct Batch(Vec<(u32, News)>);

impl ToNapiValue for Batch {
    unsafe fn to_napi_value(env: sys::napi_env, Batch(news): Self) -> napi::Result<sys::napi_value> {
        let mut row = Row::new(env, news.len() * WIDTH)?;
        for (place, (call, news)) in news.into_iter().enumerate() {
            row.go_to(place * WIDTH);
            row.number(call.into())?;
            news.write(&mut row)?;
        }
        Ok(row.finish())
    }
}

impl News {
    /// A tag and what belongs to it, as `lib/bridge.cts` reads them. Tags 0 and 1 are a [`Reply`]'s.
    fn write(self, row: &mut Row) -> napi::Result<()> {
        match self {
            News::Reply(reply) | News::Unawaited(reply) => reply.write(row),
            News::Send(message, report, which) => {
                row.number(2.0)?;
                row.value(hooks::Message::from(*message))?;
                row.value(External::new(Mutex::new(Some(report))))?;
                row.number(which.into())
            }
            News::Event(event) => {
                row.number(3.0)?;
                row.value(hooks::Event::from(*event))
            }
            News::Warning(text) => {
                row.number(4.0)?;
                row.text(&text)
            }
            News::Outlived => row.number(5.0),
            News::Ended => row.number(6.0),
        }
    }
}
