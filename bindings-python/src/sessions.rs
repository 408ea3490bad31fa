//! `once.sessions`: create, validate, rotate, list, revoke, and the cookie.

use oncecode::{Secret, SessionRequest, SessionTarget};
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyList};

use crate::client::Client;
use crate::convert::{from_json, json, optional_seconds, optional_text, text, time};
use crate::results::Answer;

type Given<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl Client {
    /// Begins a session.
    fn create_session(
        &self,
        user_id: Given<'_, '_>,
        device: Given<'_, '_>,
        ip: Given<'_, '_>,
        data: Given<'_, '_>,
        ttl_seconds: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = SessionRequest::new(text("user_id", user_id)?);
        request.device = optional_text("device", device)?;
        request.ip = optional_text("ip", ip)?;
        request.data = json("data", data)?;
        request.ttl = optional_seconds("ttl_seconds", ttl_seconds)?;
        self.perform(user_id.py(), |once| once.sessions().create(request))
    }

    /// The session of a token.
    fn validate_session(&self, token: Given<'_, '_>, ip: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let (given, ip) = (text("token", token)?, optional_text("ip", ip)?);
        self.perform(token.py(), move |once| once.sessions().validate(&given, ip.as_deref()))
    }

    /// A new token for the same session.
    fn rotate_session(&self, token: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let given = text("token", token)?;
        self.perform(token.py(), move |once| once.sessions().rotate(&given))
    }

    /// A user's live sessions.
    fn list_sessions(&self, user_id: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let user = text("user_id", user_id)?;
        self.perform(user_id.py(), move |once| once.sessions().list(&user))
    }

    /// Ends one session, by its token or by its user and id.
    fn revoke_session(&self, token: Given<'_, '_>, user_id: Given<'_, '_>, id: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let target = match optional_text("token", token)? {
            Some(token) => SessionTarget::token(token),
            None => SessionTarget::id(text("user_id", user_id)?, text("id", id)?),
        };
        self.perform(token.py(), move |once| once.sessions().revoke(target))
    }

    /// Ends all sessions of a user, or all but one.
    fn revoke_sessions(&self, user_id: Given<'_, '_>, except_: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let (user, except) = (text("user_id", user_id)?, optional_text("except_", except_)?);
        self.perform(user_id.py(), move |once| once.sessions().revoke_all(&user, except.as_deref()))
    }

    /// A `Set-Cookie` value for a token.
    fn session_cookie(&self, token: Given<'_, '_>, max_age_seconds: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let (given, age) = (text("token", token)?, optional_seconds("max_age_seconds", max_age_seconds)?);
        self.now(token.py(), move |once| once.sessions().cookie(&given, age))
    }

    /// A `Set-Cookie` value that removes the cookie.
    fn clear_session_cookie(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.now(py, |once| Ok(once.sessions().clear_cookie()))
    }

    /// The token in a `Cookie` header.
    fn read_session_cookie(&self, header: Given<'_, '_>) -> PyResult<Py<PyAny>> {
        let given = text("header", header)?;
        self.now(header.py(), move |once| Ok(once.sessions().read_cookie(&given)))
    }
}

/// A live session, without its token.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct Session {
    /// Names it for listing and revoking; proves nothing.
    #[pyo3(get)]
    id: String,
    /// Whose it is.
    #[pyo3(get)]
    user_id: String,
    /// The label given at its begin.
    #[pyo3(get)]
    device: Option<String>,
    /// The address of its begin, or of the last activity that was written with one.
    #[pyo3(get)]
    ip: Option<String>,
    /// What was given at its begin.
    #[pyo3(get)]
    data: Py<PyAny>,
    created_at_ms: u64,
    last_active_at_ms: u64,
    expires_at_ms: u64,
}

#[pymethods]
impl Session {
    /// When it began: an aware datetime in UTC.
    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        time(py, self.created_at_ms)
    }

    /// When it was last used, exact to `activity_seconds`: an aware datetime in UTC.
    #[getter]
    fn last_active_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        time(py, self.last_active_at_ms)
    }

    /// When it ends if it is not used any more: an aware datetime in UTC.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        time(py, self.expires_at_ms)
    }

    fn __repr__(&self) -> String {
        format!("<Session id={}>", self.id)
    }
}

/// A session that began, or goes on under another token.
#[pyclass(frozen, module = "oncecode")]
pub(crate) struct NewSession {
    token: Secret,
    /// The session.
    #[pyo3(get)]
    session: Py<Session>,
}

#[pymethods]
impl NewSession {
    /// 86 characters, safe in a cookie or header. It can't be had again.
    #[getter]
    fn token(&self) -> &str {
        self.token.expose()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<NewSession id={}>", self.session.bind(py).get().id)
    }
}

fn session(py: Python<'_>, session: oncecode::Session) -> PyResult<Py<Session>> {
    let data = session.data.map_or_else(|| Ok(py.None()), |data| from_json(py, &data))?;
    let session = Session {
        id: session.id,
        user_id: session.user_id,
        device: session.device,
        ip: session.ip,
        data,
        created_at_ms: session.created_at_ms,
        last_active_at_ms: session.last_active_at_ms,
        expires_at_ms: session.expires_at_ms,
    };
    Py::new(py, session)
}

impl Answer for oncecode::Session {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        session(py, self).map(Py::into_any)
    }
}

impl Answer for oncecode::NewSession {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let session = session(py, self.session)?;
        Ok(Py::new(py, NewSession { token: self.token, session })?.into_any())
    }
}

impl Answer for Vec<oncecode::Session> {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let sessions = self.into_iter().map(|one| session(py, one)).collect::<PyResult<Vec<_>>>()?;
        Ok(PyList::new(py, sessions)?.into_any().unbind())
    }
}
