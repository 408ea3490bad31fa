//! From the core's `tracing` to Python's `logging`.

use std::fmt::{Debug, Write};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};

use crate::caller;
use crate::queue::News;

const NAME: &str = "oncecode";

/// Has the core's log records go to whoever called the operation that they come from.
pub(crate) fn install() {
    // Fails where it is installed already, by an earlier import in this process.
    let _ = tracing::subscriber::set_global_default(ToCaller);
}

/// Whether `logging.getLogger("oncecode")` wants to hear of events.
pub(crate) fn wanted(py: Python<'_>) -> PyResult<bool> {
    static ENABLED: PyOnceLock<(Py<PyAny>, Py<PyTuple>)> = PyOnceLock::new();
    let (is_enabled_for, info) = ENABLED.get_or_try_init(py, || {
        let is_enabled_for = logger(py)?.getattr("isEnabledFor")?.unbind();
        PyResult::Ok((is_enabled_for, PyTuple::new(py, [number(Level::INFO)])?.unbind()))
    })?;
    is_enabled_for.bind(py).call1(info.bind(py))?.is_truthy()
}

/// `logging.getLogger("oncecode")`.
pub(crate) fn logger(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let logger =
        LOGGER.get_or_try_init(py, || py.import("logging")?.call_method1("getLogger", (NAME,)).map(Bound::unbind))?;
    Ok(logger.bind(py))
}

/// Python's number of a level.
pub(crate) fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        _ => 10,
    }
}

struct ToCaller;

impl Subscriber for ToCaller {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let ours = metadata.target() == NAME && *metadata.level() <= Level::INFO;
        if ours { Interest::sometimes() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::INFO)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == NAME && caller::wants(*metadata.level())
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        caller::tell(News::Log(*event.metadata().level(), line.head + &line.fields));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// `NAME identifier=… reason=…`
#[derive(Default)]
struct Line {
    head: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string can't fail.
        let _ = match field.name() {
            "event" | "message" => write!(self.head, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
