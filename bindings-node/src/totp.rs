//! `once.totp`. What needs no store answers at once.

use napi::Env;
use napi_derive::napi;
use oncecode::{OtpAlgorithm, OtpSettings, Result, Secret, TotpRequest};

use crate::client::Client;
use crate::convert::Text;
use crate::reply::Reply;

/// What a secret is enrolled with.
#[napi(object)]
pub struct Otp {
    /// `SHA1` and so on.
    pub algorithm: Option<String>,
    /// 6 to 8.
    pub digits: Option<u32>,
    /// Seconds.
    pub period: Option<u32>,
}

/// A code and what it is compared with.
#[napi(object)]
pub struct Typed {
    /// Whose.
    pub user: String,
    /// Base32.
    pub secret: String,
    /// What the user typed.
    pub code: String,
    /// Steps before and after.
    pub window: Option<u32>,
    /// RFC 4226.
    pub counter: Option<f64>,
}

#[napi]
impl Client {
    /// `once.totp.enrol`.
    #[napi]
    pub fn totp_enrol(&self, issuer: Text, account: Text, otp: Otp) -> Reply {
        self.now(|once| {
            let enrolment = once.totp().enrol(&issuer.0, &account.0, otp.read()?)?;
            Ok(Reply::Texts(vec![enrolment.secret.expose().to_owned(), enrolment.uri.expose().to_owned()]))
        })
    }

    /// `once.totp.uri`.
    #[napi]
    pub fn totp_uri(&self, secret: Text, issuer: Text, account: Text, otp: Otp) -> Reply {
        self.now(|once| once.totp().uri(&Secret::from(secret), &issuer.0, &account.0, otp.read()?).map(shown))
    }

    /// `once.totp.qrSvg`.
    #[napi]
    pub fn qr_svg(&self, text: Text) -> Reply {
        self.now(|once| once.totp().qr_svg(&text.0).map(|svg| Reply::Texts(vec![svg])))
    }

    /// `once.totp.qrPng`.
    #[napi]
    pub fn qr_png(&self, text: Text, scale: u32) -> Reply {
        self.now(|once| once.totp().qr_png(&text.0, scale).map(Reply::Bytes))
    }

    /// `once.totp.code`, of a moment or a counter.
    #[napi]
    pub fn totp_code(&self, secret: Text, at_ms: f64, counter: Option<f64>, otp: Otp) -> Reply {
        self.now(|once| {
            let (secret, otp) = (Secret::from(secret), otp.read()?);
            let code = match counter {
                Some(counter) => once.totp().code_of(&secret, counter as u64, otp),
                None => once.totp().code_at(&secret, at_ms as u64, otp),
            };
            code.map(shown)
        })
    }

    /// `once.totp.check`.
    #[napi]
    pub fn totp_check(&self, typed: Typed, at_ms: f64, otp: Otp) -> Reply {
        self.now(|once| once.totp().check(&typed.read(&otp)?, at_ms as u64).map(Reply::Step))
    }

    /// `once.totp.verify`.
    #[napi]
    pub fn totp_verify(&self, env: Env, call: u32, typed: Typed, otp: Otp) -> Option<Reply> {
        match typed.read(&otp) {
            Ok(request) => self.run(&env, call, |once| once.totp().verify(request)),
            Err(e) => Some(Reply::Refused(e)),
        }
    }

    /// `once.totp.recoveryCodes`: codes, then as many hashes.
    #[napi]
    pub fn recovery_codes(&self, user: Text, count: u32) -> Reply {
        self.now(|once| {
            let made = once.totp().recovery_codes(&user.0, count as usize)?;
            let codes: Vec<_> = made.codes.iter().map(Secret::expose).collect();
            Ok(Reply::Texts(vec![codes.join(" "), made.hashes.join(" ")]))
        })
    }

    /// `once.totp.verifyRecovery`.
    #[napi]
    pub fn verify_recovery(&self, env: Env, call: u32, user: Text, code: Text, hashes: Vec<String>) -> Option<Reply> {
        self.run(&env, call, |once| once.totp().verify_recovery(&user.0, &code.0, hashes))
    }
}

impl Otp {
    fn read(&self) -> Result<OtpSettings> {
        let mut settings = OtpSettings::default();
        if let Some(name) = &self.algorithm {
            settings.algorithm = OtpAlgorithm::parse(name)?;
        }
        // The core refuses what does not fit.
        settings.digits = self.digits.map_or(settings.digits, |digits| u8::try_from(digits).unwrap_or(0));
        settings.period_seconds = self.period.unwrap_or(settings.period_seconds);
        Ok(settings)
    }
}

impl Typed {
    fn read(self, otp: &Otp) -> Result<TotpRequest> {
        let mut request = TotpRequest::new(self.user, self.secret, self.code);
        request.window = self.window.unwrap_or(request.window);
        request.counter = self.counter.map(|counter| counter as u64);
        request.settings = otp.read()?;
        Ok(request)
    }
}

fn shown(secret: Secret) -> Reply {
    Reply::Texts(vec![secret.expose().to_owned()])
}
