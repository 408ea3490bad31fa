//! The JavaScript function that gets the news, called as an event of the loop.

use std::ptr;

use napi::bindgen_prelude::{Function, JsValue, ToNapiValue};
use napi::{Env, Result, check_status, sys};

use crate::queue::Batch;

/// Lives as long as its environment.
pub(crate) struct Reader(sys::napi_ref);

// SAFETY: it is made and used on the thread of its environment only; others hand it on.
unsafe impl Send for Reader {}
// SAFETY: as above.
unsafe impl Sync for Reader {}

impl Reader {
    pub(crate) fn new(function: &Function<'_, Batch, ()>) -> Result<Self> {
        let value = function.value();
        let mut reference = ptr::null_mut();
        // SAFETY: a value of the running call.
        check_status!(unsafe { sys::napi_create_reference(value.env, value.value, 1, &mut reference) })?;
        Ok(Self(reference))
    }

    /// Calls it with `news`, and afterwards what awaits them. What it throws is an uncaught exception.
    pub(crate) fn call(&self, env: &Env, news: impl FnOnce() -> Batch) -> Result<()> {
        let raw = env.raw();
        let mut scope = ptr::null_mut();
        // SAFETY: on the thread of `env`, outside of JavaScript; the scope is closed below.
        check_status!(unsafe { sys::napi_open_handle_scope(raw, &mut scope) })?;
        let called = self.call_within(raw, news);
        // SAFETY: as above.
        check_status!(unsafe { sys::napi_close_handle_scope(raw, scope) })?;
        called
    }

    fn call_within(&self, env: sys::napi_env, news: impl FnOnce() -> Batch) -> Result<()> {
        let (mut function, mut global, mut result) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: a scope is open, and the reference is this environment's.
        unsafe {
            check_status!(sys::napi_get_reference_value(env, self.0, &mut function))?;
            check_status!(sys::napi_get_global(env, &mut global))?;
            let news = Batch::to_napi_value(env, news())?;
            let status = sys::napi_make_callback(env, ptr::null_mut(), global, function, 1, &news, &mut result);
            if status == sys::Status::napi_pending_exception {
                let mut exception = ptr::null_mut();
                check_status!(sys::napi_get_and_clear_last_exception(env, &mut exception))?;
                check_status!(sys::napi_fatal_exception(env, exception))?;
            }
            check_status!(status)
        }
    }
}
