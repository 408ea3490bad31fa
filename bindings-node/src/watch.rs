//! Sockets of stores that libuv watches, so that the JavaScript thread reads them itself.
//!
//! Node.js has libuv's functions among its own symbols, and Node-API gives the loop. A host that only resembles Node.js has
//! neither; the runtime watches the sockets then.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::sync::{Arc, LazyLock};

use libloading::os::unix::Library;
use napi::{Env, sys};
use oncecode::host::Watch;

use crate::queue::Queue;
use crate::runtime;

/// Has the loop of `env` watch a socket. If it can't after all, it is not asked again, and the runtime has the socket back.
pub(crate) fn watch(env: sys::napi_env, queue: &Arc<Queue>, watch: Watch) {
    if try_watch(env, queue, watch).is_none() {
        queue.event_loop.set_blind();
    }
}

fn try_watch(env: sys::napi_env, queue: &Arc<Queue>, watch: Watch) -> Option<()> {
    let uv = UV.as_ref()?;
    let mut event_loop = ptr::null_mut();
    // SAFETY: `env` is that of the running call.
    if unsafe { sys::napi_get_uv_event_loop(env, &mut event_loop) } != sys::Status::napi_ok {
        return None;
    }
    let descriptor = watch.as_fd().as_raw_fd();
    // SAFETY: a kind of handle that there is.
    let size = unsafe { (uv.handle_size)(UV_POLL) };
    let mut handle = vec![0_u128; size.div_ceil(size_of::<u128>())].into_boxed_slice();
    let at: Handle = handle.as_mut_ptr().cast();
    // SAFETY: the handle has the size and alignment that libuv asks for, and stays where it is until libuv has closed it.
    unsafe {
        if (uv.poll_init)(event_loop.cast(), at, descriptor) != 0 {
            return None;
        }
    }
    let poll = Box::new(Poll {
        env,
        queue: Arc::clone(queue),
        watch,
        handle,
        hook: Cell::default(),
        closing: Cell::default(),
    });
    let poll = Box::into_raw(poll);
    let mut hook = ptr::null_mut();
    // SAFETY: `poll` lives until `on_closed`, which runs on this thread when nothing here is used any more.
    unsafe {
        (uv.handle_set_data)(at, poll.cast());
        (uv.unref)(at);
        let added = sys::napi_add_async_cleanup_hook(env, Some(on_end), poll.cast(), &mut hook) == sys::Status::napi_ok;
        if added {
            (*poll).hook.set(hook);
        }
        if !added || (uv.poll_start)(at, UV_READABLE, on_readable) != 0 {
            (*poll).close(uv);
            return None;
        }
    }
    Some(())
}

struct Poll {
    env: sys::napi_env,
    queue: Arc<Queue>,
    watch: Watch,
    handle: Box<[u128]>,
    hook: Cell<sys::napi_async_cleanup_hook_handle>,
    closing: Cell<bool>,
}

impl Poll {
    fn close(&self, uv: &Uv) {
        if !self.closing.replace(true) {
            let at = self.handle.as_ptr().cast_mut().cast();
            // SAFETY: it was initialised, and is closed once.
            unsafe {
                (uv.poll_stop)(at);
                (uv.close)(at, on_closed);
            }
        }
    }
}

unsafe extern "C" fn on_readable(at: Handle, _status: c_int, _events: c_int) {
    let Some(uv) = &*UV else { return };
    // SAFETY: set in `watch`, and freed only after `close`.
    let poll = unsafe { &*(uv.handle_get_data)(at).cast::<Poll>() };
    if !runtime::read(&poll.watch, &poll.queue) {
        poll.close(uv);
    }
    // A JavaScript function that ends the process or thread closes this, but does not free it before we return.
    poll.queue.deliver(&Env::from_raw(poll.env));
}

/// The environment ends.
unsafe extern "C" fn on_end(_hook: sys::napi_async_cleanup_hook_handle, poll: *mut c_void) {
    // SAFETY: removed before it is freed.
    let poll = unsafe { &*poll.cast::<Poll>() };
    if let Some(uv) = &*UV {
        poll.close(uv);
    }
}

unsafe extern "C" fn on_closed(at: Handle) {
    let Some(uv) = &*UV else { return };
    // SAFETY: made by `Box::into_raw` in `watch`; libuv is done with it.
    let poll = unsafe { Box::from_raw((uv.handle_get_data)(at).cast::<Poll>()) };
    let hook = poll.hook.get();
    drop(poll);
    if !hook.is_null() {
        // SAFETY: it was added, and is removed once.
        unsafe { sys::napi_remove_async_cleanup_hook(hook) };
    }
}

type Handle = *mut c_void;

/// `uv_handle_type` of a `uv_poll_t`, and the event that there is something to read.
const UV_POLL: c_int = 8;
const UV_READABLE: c_int = 1;

/// What is used of libuv, as its documentation declares it.
struct Uv {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    handle_get_data: unsafe extern "C" fn(Handle) -> *mut c_void,
    handle_set_data: unsafe extern "C" fn(Handle, *mut c_void),
    poll_init: unsafe extern "C" fn(*mut c_void, Handle, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(Handle, c_int, unsafe extern "C" fn(Handle, c_int, c_int)) -> c_int,
    poll_stop: unsafe extern "C" fn(Handle) -> c_int,
    close: unsafe extern "C" fn(Handle, unsafe extern "C" fn(Handle)),
    unref: unsafe extern "C" fn(Handle),
}

static UV: LazyLock<Option<Uv>> = LazyLock::new(|| Uv::find().ok());

impl Uv {
    fn find() -> Result<Self, libloading::Error> {
        let process = Library::this();
        // SAFETY: these are the functions' types since libuv 1.19.
        unsafe {
            Ok(Self {
                handle_size: *process.get("uv_handle_size")?,
                handle_get_data: *process.get("uv_handle_get_data")?,
                handle_set_data: *process.get("uv_handle_set_data")?,
                poll_init: *process.get("uv_poll_init")?,
                poll_start: *process.get("uv_poll_start")?,
                poll_stop: *process.get("uv_poll_stop")?,
                close: *process.get("uv_close")?,
                unref: *process.get("uv_unref")?,
            })
        }
    }
}
