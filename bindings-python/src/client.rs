//! A client: which store, and the connection to it in this process.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use oncecode::{BoxFuture, Builder, Mode, Oncecode, Options, Result, Secret};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use tokio::sync::OnceCell;

use crate::caller;
use crate::convert::whole;
use crate::fork::generation;
use crate::hooks::Hooks;
use crate::queue::News;
use crate::results::{Answer, into_python};
use crate::runtime::enter;
use crate::{blocking, bridge};

/// A client. Its methods give their result, or an `asyncio.Future` of it unless the client `waits`.
#[pyclass(frozen, module = "oncecode._native")]
pub(crate) struct Client {
    line: Arc<Line>,
    hooks: Py<Hooks>,
    waits: bool,
}

#[pymethods]
impl Client {
    /// `url` and `options` (JSON), or `None` for those of the environment.
    #[new]
    #[pyo3(signature = (given, waits, send, sends, tell))]
    fn new(
        py: Python<'_>,
        given: Option<(String, String)>,
        waits: bool,
        send: Option<Py<PyAny>>,
        sends: usize,
        tell: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let origin = Origin {
            given: given.map(|(url, options)| (Secret::from(url), Secret::from(options))),
            sends,
            tells: tell.is_some(),
        };
        Ok(Self { line: Arc::new(Line::new(origin)), hooks: Py::new(py, Hooks { send, tell })?, waits })
    }

    /// Opens the connection.
    fn connect(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.perform(py, |_| Box::pin(async { Ok(()) }))
    }

    /// Deletes up to `limit` expired rows.
    fn purge(&self, py: Python<'_>, limit: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let limit = whole("limit", limit)?;
        self.perform(py, move |once| once.purge(limit))
    }

    /// Whether it was opened in development mode.
    fn is_development(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.now(py, |once| Ok(once.mode() == Mode::Development))
    }

    /// Releases the connection.
    fn close(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let closed = self.run(py, self.line.close())?;
        if self.waits {
            blocking::join(py, &self.hooks)?;
        }
        Ok(closed)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        visit.call(&self.hooks)
    }
}

impl Client {
    /// Runs an operation of the core.
    pub(crate) fn perform<T, F>(&self, py: Python<'_>, operation: F) -> PyResult<Py<PyAny>>
    where
        T: Answer,
        F: FnOnce(&Oncecode) -> BoxFuture<'static, Result<T>> + Send + 'static,
    {
        self.run(py, Arc::clone(&self.line).with(operation))
    }

    /// The same for an operation that mostly is ready at once.
    pub(crate) fn perform_at_once<T, F>(&self, py: Python<'_>, operation: F) -> PyResult<Py<PyAny>>
    where
        T: Answer,
        F: FnOnce(&Oncecode) -> BoxFuture<'static, Result<T>> + Send + 'static,
    {
        let mut operation = Arc::clone(&self.line).with(operation);
        // Without a caller, whom nothing would be told: such operations tell nothing.
        match caller::ready(&mut operation) {
            Some(outcome) => into_python(py, outcome),
            None => self.run(py, operation),
        }
    }

    /// Computes what needs no waiting.
    pub(crate) fn now<T, F>(&self, py: Python<'_>, computation: F) -> PyResult<Py<PyAny>>
    where
        T: Answer,
        F: FnOnce(&Oncecode) -> Result<T> + Send + 'static,
    {
        let connection = self.line.connection();
        if let Some(once) = connection.once.get() {
            return into_python(py, computation(once));
        }
        // A forked child opens its connection first.
        blocking::call(
            py,
            &self.hooks,
            false,
            Arc::clone(&self.line).with(|once| {
                let computed = computation(once);
                Box::pin(async { computed })
            }),
        )
    }

    fn run<T: Answer>(&self, py: Python<'_>, operation: BoxFuture<'static, Result<T>>) -> PyResult<Py<PyAny>> {
        let instant = self.line.origin.instant();
        match self.waits {
            true => blocking::call(py, &self.hooks, instant, operation),
            false => bridge::call(py, &self.hooks, instant, self.line.is_open(), operation),
        }
    }
}

/// What a client was opened with: enough to open it again in a forked child.
struct Origin {
    given: Option<(Secret, Secret)>,
    /// How many callbacks send.
    sends: usize,
    tells: bool,
}

impl Origin {
    fn open(&self) -> Result<BoxFuture<'static, Result<Oncecode>>> {
        let mut builder = match &self.given {
            Some((url, options)) => Oncecode::builder(url.expose()).options(Options::from_json(options.expose())?),
            None => Oncecode::from_env()?,
        };
        for which in 0..self.sends {
            builder = builder.sender(caller::sender(which));
        }
        builder = builder.spawner(caller::outlive);
        if self.tells {
            builder = builder.events(|event| caller::tell(News::Event(event.clone())));
        }
        Ok(Builder::open(builder))
    }

    /// Whether its operations are worth trying at once, because they never wait for a server or a disk.
    fn instant(&self) -> bool {
        self.given.as_ref().is_some_and(|(url, _)| url.expose().trim_start().starts_with("memory:"))
    }
}

/// The connection of this process.
struct Line {
    origin: Origin,
    /// Locked only for moments and with the GIL held, so that no fork can happen meanwhile.
    connection: Mutex<Arc<Connection>>,
    closed: AtomicBool,
}

impl Line {
    fn new(origin: Origin) -> Self {
        Self { origin, connection: Mutex::new(Connection::new()), closed: AtomicBool::new(false) }
    }

    fn with<T, F>(self: Arc<Self>, operation: F) -> BoxFuture<'static, Result<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Oncecode) -> BoxFuture<'static, Result<T>> + Send + 'static,
    {
        let connection = self.connection();
        if let Some(once) = connection.once.get() {
            return operation(once);
        }
        Box::pin(async move {
            let once = connection.once.get_or_try_init(|| async { self.origin.open()?.await }).await?;
            if self.closed.load(Ordering::SeqCst) {
                once.close().await;
            }
            operation(once).await
        })
    }

    /// That of this process: one that a fork has copied is the parent's.
    fn connection(&self) -> Arc<Connection> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.generation != generation() {
            *connection = Connection::new();
        }
        Arc::clone(&connection)
    }

    fn is_open(&self) -> bool {
        self.connection().once.get().is_some()
    }

    fn close(&self) -> BoxFuture<'static, Result<()>> {
        self.closed.store(true, Ordering::SeqCst);
        let connection = self.connection();
        Box::pin(async move {
            if let Some(once) = connection.once.get() {
                once.close().await;
            }
            Ok(())
        })
    }
}

struct Connection {
    generation: u32,
    once: ManuallyDrop<OnceCell<Oncecode>>,
}

impl Connection {
    fn new() -> Arc<Self> {
        Arc::new(Self { generation: generation(), once: ManuallyDrop::new(OnceCell::new()) })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The parent's sockets and threads are not ours to shut down.
        if self.generation == generation() {
            let _inside = enter();
            // SAFETY: dropped nowhere else.
            unsafe { ManuallyDrop::drop(&mut self.once) };
        }
    }
}
