//! Strings in and values out, with as few calls into Node.js as can be.

use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{Result, ValueType, check_status, sys};
use oncecode::{Error, ErrorKind};
use serde_json::Value;

/// A string argument. The usual short one costs one call instead of two and no second allocation.
pub struct Text(pub(crate) String);

impl TypeName for Text {
    fn type_name() -> &'static str {
        "string"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for Text {}

impl FromNapiValue for Text {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let mut buffer = [0u8; 256];
        let mut length = 0;
        // SAFETY: `buffer` has the size that is passed; the caller vouches for `env` and `value`.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(env, value, buffer.as_mut_ptr().cast(), buffer.len(), &mut length)
        })?;
        // Node.js never splits a character and always writes a NUL: only a fuller buffer may have been too small.
        if length < buffer.len() - 4 {
            return Ok(Self(String::from_utf8_lossy(&buffer[..length]).into_owned()));
        }
        // SAFETY: as above.
        unsafe { String::from_napi_value(env, value) }.map(Self)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

/// What JSON.stringify made of an argument.
pub(crate) fn json(name: &str, text: &Text) -> oncecode::Result<Value> {
    serde_json::from_str(&text.0).map_err(|why| {
        // So it is either too deep or not Unicode.
        let what =
            if why.is_syntax() { "hold only valid Unicode and not be nested deeper than 127" } else { "be JSON" };
        Error::new(ErrorKind::InvalidArgument, format!("{name} must {what}"))
    })
}

/// Fills a JavaScript array from left to right. What is skipped reads as `undefined`.
pub(crate) struct Row {
    env: sys::napi_env,
    array: sys::napi_value,
    at: u32,
}

impl Row {
    /// An array of `length` places.
    pub(crate) fn new(env: sys::napi_env, length: usize) -> Result<Self> {
        let mut array = ptr::null_mut();
        // SAFETY: conversions run on the JavaScript thread, with its `env`.
        check_status!(unsafe { sys::napi_create_array_with_length(env, length, &mut array) })?;
        Ok(Self { env, array, at: 0 })
    }

    pub(crate) fn finish(self) -> sys::napi_value {
        self.array
    }

    /// Goes on at another place.
    pub(crate) fn go_to(&mut self, at: usize) {
        self.at = at as u32;
    }

    /// Leaves out so many places.
    pub(crate) fn go_past(&mut self, places: u32) {
        self.at += places;
    }

    /// Writes `value` if there is one.
    pub(crate) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T) -> Result<()>) -> Result<()> {
        match value {
            Some(value) => write(self, value),
            None => self.skip(),
        }
    }

    pub(crate) fn skip(&mut self) -> Result<()> {
        self.at += 1;
        Ok(())
    }

    pub(crate) fn number(&mut self, number: f64) -> Result<()> {
        let mut value = ptr::null_mut();
        // SAFETY: as in `new`.
        check_status!(unsafe { sys::napi_create_double(self.env, number, &mut value) })?;
        self.put(value)
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<()> {
        let (start, length, mut value) = (text.as_ptr().cast(), text.len() as isize, ptr::null_mut());
        // SAFETY: as in `new`; `start` and `length` are one string's. ASCII is Latin-1, which needs no decoding.
        check_status!(unsafe {
            match text.is_ascii() {
                true => sys::napi_create_string_latin1(self.env, start, length, &mut value),
                false => sys::napi_create_string_utf8(self.env, start, length, &mut value),
            }
        })?;
        self.put(value)
    }

    /// Anything else.
    pub(crate) fn value(&mut self, value: impl ToNapiValue) -> Result<()> {
        // SAFETY: as in `new`.
        let value = unsafe { ToNapiValue::to_napi_value(self.env, value) }?;
        self.put(value)
    }

    fn put(&mut self, value: sys::napi_value) -> Result<()> {
        // SAFETY: as in `new`.
        check_status!(unsafe { sys::napi_set_element(self.env, self.array, self.at, value) })?;
        self.skip()
    }
}
