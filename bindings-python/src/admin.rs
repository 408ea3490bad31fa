//! `once.admin`: copy, a batch at a time.

use oncecode::{Copied, CopyRequest};
use pyo3::prelude::*;

use crate::client::Client;
use crate::convert::{flag, from_json, optional_text, text, whole};
use crate::results::Answer;

type Given<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl Client {
    /// Copies one batch.
    fn copy(
        &self,
        to: Given<'_, '_>,
        batch: Given<'_, '_>,
        resume_from: Given<'_, '_>,
        keep: Given<'_, '_>,
    ) -> PyResult<Py<PyAny>> {
        let mut request = CopyRequest::new(text("to", to)?);
        request.batch = whole("batch", batch)?;
        request.resume_from = optional_text("resume_from", resume_from)?;
        request.keep = flag("keep", keep)?;
        self.perform(to.py(), |once| once.admin().copy_batch(request))
    }
}

impl Answer for Copied {
    fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        from_json(py, &self.to_json())
    }
}
