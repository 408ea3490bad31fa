//! Arguments from Python and values for it.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyTzInfo};
use serde_json::{Map, Number, Value};

use crate::errors::invalid_argument;

/// What a store gives back is read with serde_json, which refuses to go deeper than 128.
const DEEPEST: usize = 100;

/// A string.
pub(crate) fn text(name: &str, given: &Bound<'_, PyAny>) -> PyResult<String> {
    let Ok(string) = given.cast::<PyString>() else {
        return Err(wrong(name, "a string", given));
    };
    string.to_cow().map(|text| text.into_owned()).map_err(|_| lone_surrogate(given.py(), name))
}

/// A string or `None`.
pub(crate) fn optional_text(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if given.is_none() { Ok(None) } else { text(name, given).map(Some) }
}

/// A whole number that fits.
pub(crate) fn whole(name: &str, given: &Bound<'_, PyAny>) -> PyResult<u32> {
    let number = if given.is_instance_of::<PyBool>() { None } else { given.extract().ok() };
    number.ok_or_else(|| wrong(name, "a whole number from 0 to 4294967295", given))
}

/// Seconds. The core says what is too long.
pub(crate) fn seconds(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let number: Option<f64> = if given.is_instance_of::<PyBool>() { None } else { given.extract().ok() };
    let number = number.filter(|number| *number >= 0.0);
    let number = number.ok_or_else(|| wrong(name, "a number of seconds that is not negative", given))?;
    Ok(Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX))
}

/// Seconds or `None`.
pub(crate) fn optional_seconds(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    if given.is_none() { Ok(None) } else { seconds(name, given).map(Some) }
}

/// `True` or `False`.
pub(crate) fn flag(name: &str, given: &Bound<'_, PyAny>) -> PyResult<bool> {
    given.cast::<PyBool>().map(|flag| flag.is_true()).map_err(|_| wrong(name, "True or False", given))
}

/// What `json.dumps` would take, `None` meaning nothing.
pub(crate) fn json(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if given.is_none() { Ok(None) } else { json_value(name, given, DEEPEST).map(Some) }
}

fn json_value(name: &str, given: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    let py = given.py();
    let Some(depth) = depth.checked_sub(1) else {
        return Err(invalid_argument(py, &format!("{name} must not be nested deeper than {DEEPEST}")));
    };
    if given.is_none() {
        Ok(Value::Null)
    } else if given.cast::<PyString>().is_ok() {
        text(name, given).map(Value::String)
    } else if let Ok(flag) = given.cast::<PyBool>() {
        Ok(Value::Bool(flag.is_true()))
    } else if given.cast::<PyInt>().is_ok() {
        let number = given.extract::<i64>().map(Number::from).or_else(|_| given.extract::<u64>().map(Number::from));
        number
            .map(Value::Number)
            .map_err(|_| invalid_argument(py, &format!("{name} holds a number of more than 64 bits")))
    } else if let Ok(number) = given.cast::<PyFloat>() {
        let number = Number::from_f64(number.value()).map(Value::Number);
        number.ok_or_else(|| invalid_argument(py, &format!("{name} holds a number that JSON can't: NaN or infinity")))
    } else if let Ok(items) = given.cast::<PyList>() {
        items.iter().map(|item| json_value(name, &item, depth)).collect::<PyResult<_>>().map(Value::Array)
    } else if let Ok(items) = given.cast::<PyTuple>() {
        items.iter().map(|item| json_value(name, &item, depth)).collect::<PyResult<_>>().map(Value::Array)
    } else if let Ok(items) = given.cast::<PyDict>() {
        let entry = |(key, item): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            Ok((text(&format!("a key in {name}"), &key)?, json_value(name, &item, depth)?))
        };
        items.iter().map(entry).collect::<PyResult<Map<_, _>>>().map(Value::Object)
    } else {
        Err(wrong(name, "JSON (None, bool, int, float, str, list, dict)", given))
    }
}

/// The Python value of some JSON.
pub(crate) fn from_json(py: Python<'_>, value: &Value) -> PyResult<Py<PyAny>> {
    Ok(match value {
        Value::Null => py.None(),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any().unbind(),
        Value::String(text) => PyString::new(py, text).into_any().unbind(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => whole.into_pyobject(py)?.into_any().unbind(),
            (None, Some(whole)) => whole.into_pyobject(py)?.into_any().unbind(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any().unbind(),
        },
        Value::Array(items) => {
            let items = items.iter().map(|item| from_json(py, item)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any().unbind()
        }
        Value::Object(entries) => {
            let dict = PyDict::new(py);
            for (key, item) in entries {
                dict.set_item(key, from_json(py, item)?)?;
            }
            dict.into_any().unbind()
        }
    })
}

/// An aware `datetime` in UTC.
pub(crate) fn time(py: Python<'_>, epoch_ms: u64) -> PyResult<Bound<'_, PyDateTime>> {
    let utc = PyTzInfo::utc(py)?;
    PyDateTime::from_timestamp(py, epoch_ms as f64 / 1000.0, Some(&utc))
}

fn wrong(name: &str, expected: &str, given: &Bound<'_, PyAny>) -> PyErr {
    // The type only: the value may be a code or a secret.
    let kind = given.get_type().name().map_or_else(|_| "something else".to_owned(), |name| name.to_string());
    invalid_argument(given.py(), &format!("{name} must be {expected}, not {kind}"))
}

fn lone_surrogate(py: Python<'_>, name: &str) -> PyErr {
    invalid_argument(py, &format!("{name} must be valid Unicode; it holds a lone surrogate"))
}
