//! A `tracing` subscriber that keeps every line.

use std::fmt::Debug;
use std::sync::{Mutex, OnceLock};

use tracing::field::{Field, Visit};

/// All that this process logs, at every level, from every crate.
pub fn logs() -> &'static Mutex<String> {
    static LOGS: OnceLock<&'static Mutex<String>> = OnceLock::new();
    LOGS.get_or_init(|| {
        let logs: &'static Mutex<String> = Box::leak(Box::default());
        tracing::subscriber::set_global_default(Logs(logs)).expect("the only subscriber");
        logs
    })
}

struct Logs(&'static Mutex<String>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl Logs {
    fn write(&self, target: &str, record: impl FnOnce(&mut Line)) {
        let mut line = Line(format!("{target} "));
        record(&mut line);
        *self.0.lock().expect("logs") += &(line.0 + "\n");
    }
}

impl tracing::Subscriber for Logs {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        self.write(span.metadata().name(), |line| span.record(line));
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        self.write("", |line| values.record(line));
    }

    fn event(&self, event: &tracing::Event<'_>) {
        self.write(event.metadata().target(), |line| event.record(line));
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
