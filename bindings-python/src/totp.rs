//! `once.totp`. What needs no store answers at once, without an event loop.

use oncecode::{Enrolment, OtpAlgorithm, OtpSettings, RecoveryCodes, Result, Secret, TotpAccepted, TotpRequest};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::client::Client;
use crate::convert::{text, whole};
use crate::errors::exception;
use crate::results::Answer;

/// Algorithm, digits, period in seconds.
type Otp = (Option<String>, u32, u32);

/// User, secret, code, window, counter.
type Typed = (String, String, String, u32, Option<u64>);

#[pymethods]
impl Client {
    /// `(secret, uri)`.
    fn totp_enrol(&self, py: Python<'_>, issuer: String, account: String, otp: Otp) -> PyResult<Py<PyAny>> {
        self.now(py, move |once| once.totp().enrol(&issuer, &account, settings(&otp)?))
    }

    /// The URI of a secret.
    fn totp_uri(
        &self,
        py: Python<'_>,
        secret: String,
        issuer: String,
        account: String,
        otp: Otp,
    ) -> PyResult<Py<PyAny>> {
        self.now(py, move |once| once.totp().uri(&Secret::from(secret), &issuer, &account, settings(&otp)?))
    }

    /// A QR code.
    fn qr_svg(&self, py: Python<'_>, text: String) -> PyResult<Py<PyAny>> {
        self.now(py, move |once| once.totp().qr_svg(&text))
    }

    /// A QR code.
    fn qr_png(&self, py: Python<'_>, text: String, scale: u32) -> PyResult<Py<PyAny>> {
        self.now(py, move |once| once.totp().qr_png(&text, scale))
    }

    /// The code of a moment or a counter.
    fn totp_code(
        &self,
        py: Python<'_>,
        secret: String,
        at_ms: u64,
        counter: Option<u64>,
        otp: Otp,
    ) -> PyResult<Py<PyAny>> {
        self.now(py, move |once| {
            let (secret, otp) = (Secret::from(secret), settings(&otp)?);
            match counter {
                Some(counter) => once.totp().code_of(&secret, counter, otp),
                None => once.totp().code_at(&secret, at_ms, otp),
            }
        })
    }

    /// For which step it is right, if it is.
    fn totp_check(&self, py: Python<'_>, typed: Typed, at_ms: u64, otp: Otp) -> PyResult<Py<PyAny>> {
        self.now(py, move |once| once.totp().check(&request(typed, &otp)?, at_ms))
    }

    /// Accepts the right code, once.
    fn totp_verify(&self, py: Python<'_>, typed: Typed, otp: Otp) -> PyResult<Py<PyAny>> {
        let request = request(typed, &otp).map_err(|e| exception(py, &e))?;
        self.perform(py, |once| once.totp().verify(request))
    }

    /// `(codes, hashes)`.
    fn recovery_codes(&self, user: &Bound<'_, PyAny>, count: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let (py, user, count) = (user.py(), text("user", user)?, whole("count", count)?);
        self.now(py, move |once| once.totp().recovery_codes(&user, count as usize))
    }

    /// Accepts a recovery code, once.
    fn verify_recovery(
        &self,
        user: &Bound<'_, PyAny>,
        code: &Bound<'_, PyAny>,
        hashes: Vec<String>,
    ) -> PyResult<Py<PyAny>> {
        let (py, user, code) = (user.py(), text("user", user)?, text("code", code)?);
        self.perform(py, move |once| once.totp().verify_recovery(&user, &code, hashes))
    }
}

fn settings((algorithm, digits, period): &Otp) -> Result<OtpSettings> {
    let mut settings = OtpSettings::default();
    if let Some(name) = algorithm {
        settings.algorithm = OtpAlgorithm::parse(name)?;
    }
    // The core refuses what does not fit.
    settings.digits = u8::try_from(*digits).unwrap_or(0);
    settings.period_seconds = *period;
    Ok(settings)
}

fn request((user, secret, code, window, counter): Typed, otp: &Otp) -> Result<TotpRequest> {
    let mut request = TotpRequest::new(user, secret, code);
    request.window = window;
    request.counter = counter;
    request.settings = settings(otp)?;
    Ok(request)
}

macro_rules! answers {
    ($($given:ty => |$value:ident, $py:ident| $make:expr;)+) => {$(
        impl Answer for $given {
            fn into_python(self, $py: Python<'_>) -> PyResult<Py<PyAny>> {
                let $value = self;
                Ok($make.into_pyobject($py)?.into_any().unbind())
            }
        }
    )+};
}

answers! {
    TotpAccepted => |accepted, py| (accepted.step, accepted.drift);
    Enrolment => |made, py| (made.secret.expose(), made.uri.expose());
    RecoveryCodes => |made, py| (made.codes.iter().map(Secret::expose).collect::<Vec<_>>(), made.hashes);
    Option<u64> => |step, py| step;
    Vec<u8> => |bytes, py| PyBytes::new(py, &bytes);
}
