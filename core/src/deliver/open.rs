//! From options to a sender: the one table of schemes.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "http")]
use url::Url;

use super::Sender;
use super::address::Address;
#[cfg(feature = "http")]
use super::address::malformed;
use super::breaker::Breaker;
use super::console::{Console, Nowhere};
use super::list::List;
use crate::config::{self, Mode, SenderOption, SenderSpec};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::time::Clock;

/// What a sender may need besides its URL.
#[cfg_attr(not(feature = "sending"), allow(dead_code))]
pub(crate) struct SenderSettings<'a> {
    pub(crate) mode: Mode,
    /// The bound of a message.
    pub(crate) deadline: Duration,
    pub(crate) breaker: Option<config::Breaker>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Looks a variable of the environment up.
    pub(crate) var: &'a dyn Fn(&str) -> Option<String>,
}

/// A URL, and what it is read with.
pub(super) struct Given<'a> {
    address: Address,
    pub(super) settings: &'a SenderSettings<'a>,
}

macro_rules! senders {
    ($([$own:literal] $always:expr;)+ $(feature $feature:literal [$($scheme:literal),+] $opener:expr;)+) => {
        fn opener(scheme: &str) -> Option<fn(&str, Given<'_>) -> Result<Box<dyn Sender>>> {
            match scheme {
                $($own => Some($always),)+
                $(#[cfg(feature = $feature)] $($scheme)|+ => Some($opener),)+
                _ => None,
            }
        }

        /// The schemes that this build can open.
        fn schemes() -> Vec<&'static str> {
            let mut all = vec![$($own),+];
            $(#[cfg(feature = $feature)] all.extend([$($scheme),+]);)+
            all
        }

        /// The cargo feature that a scheme needs, whether this build has it or not.
        fn feature(scheme: &str) -> Option<&'static str> {
            match scheme {
                $($($scheme)|+ => Some($feature),)+
                _ => None,
            }
        }
    };
}

senders! {
    ["console"] |_, given| given.for_developers(Console);
    ["none"] |_, given| given.for_developers(Nowhere);
    feature "twilio" ["twilio"] |_, mut given| given.post(super::twilio::Twilio::read);
    feature "msg91" ["msg91"] |_, mut given| given.post(super::msg91::Msg91::read);
    feature "sendgrid" ["sendgrid"] |_, mut given| given.post(super::sendgrid::SendGrid::read);
    feature "smtp" ["smtp"] |_, given| given.mail(false);
    feature "smtp" ["smtps"] |_, given| given.mail(true);
    feature "webhook" ["webhook+https", "webhook+http"] |url, mut given| given.post(|_| super::webhook::Webhook::from_url(url));
}

/// Opens what the options name. `own` are the app's own senders, which `callback:0` and so on name; where the options
/// name nobody, they are all.
///
/// # Errors
/// `CONFIG` for an unknown scheme, something missing, or nobody who reaches users in production.
pub(crate) fn open(
    named: &SenderOption,
    own: Vec<Box<dyn Sender>>,
    settings: &SenderSettings<'_>,
) -> Result<Box<dyn Sender>> {
    let mut own: Vec<_> = own.into_iter().map(Some).collect();
    let calls = named.0.iter().any(|spec| matches!(spec, SenderSpec::Url(url) if url.starts_with("callback:")));
    let senders: Vec<_> = match (named.0.is_empty(), calls || own.is_empty()) {
        (false, true) => named.0.iter().map(|spec| one(spec, &mut own, settings)).collect::<Result<_>>()?,
        _ => own.into_iter().flatten().collect(),
    };
    match (senders.len(), settings.mode) {
        (0, Mode::Development) => Ok(Box::new(Console)),
        (0, Mode::Production) => Err(Error::config("no sender: production mode needs one that reaches users")),
        _ => Ok(Box::new(List(senders))),
    }
}

fn one(
    spec: &SenderSpec,
    own: &mut [Option<Box<dyn Sender>>],
    settings: &SenderSettings<'_>,
) -> Result<Box<dyn Sender>> {
    let url = match spec {
        SenderSpec::Url(url) => url.trim(),
        #[cfg(feature = "webhook")]
        SenderSpec::Webhook(options) => {
            return settings
                .carry(super::posting::Posting::new(super::webhook::Webhook::new(options)?, settings.connect())?);
        }
        #[cfg(not(feature = "webhook"))]
        SenderSpec::Webhook(_) => return Err(Error::without_feature("a webhook", "webhook")),
    };
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    let scheme = scheme.to_ascii_lowercase();
    if scheme == "callback" {
        let taken = rest.parse::<usize>().ok().and_then(|at| own.get_mut(at)?.take());
        return taken.ok_or_else(|| Error::config("callback:0 and so on name the app's own senders, each once"));
    }
    let Some(open) = opener(&scheme) else {
        if let Some(feature) = feature(&scheme) {
            return Err(Error::without_feature(&scheme, feature));
        }
        let known = schemes().iter().map(|s| format!("{s}:")).collect::<Vec<_>>().join(", ");
        return Err(Error::config(format!("no such sender; this build knows {known} and functions of the app's own")));
    };
    // Without its colon a scheme is one, too; what a webhook's URL holds is for itself to read.
    let address = if scheme.starts_with("webhook") { "webhook:".to_owned() } else { format!("{scheme}:{rest}") };
    open(url, Given { address: Address::parse(&address)?, settings })
}

impl SenderSettings<'_> {
    /// The part of the deadline that connecting may take: another sender is to have its time, too.
    #[cfg(feature = "http")]
    fn connect(&self) -> Duration {
        self.deadline / 3
    }

    #[cfg(feature = "sending")]
    fn carry(&self, wire: impl super::carrier::Wire) -> Result<Box<dyn Sender>> {
        Ok(Box::new(super::carrier::Carrier::new(
            wire,
            self.deadline,
            self.breaker.map(|rules| Breaker::new(rules, Arc::clone(&self.clock))),
        )))
    }
}

#[cfg_attr(not(feature = "full"), allow(dead_code))]
impl<'a> Given<'a> {
    fn for_developers(self, sender: impl Sender) -> Result<Box<dyn Sender>> {
        match self.settings.mode {
            Mode::Development => Ok(Box::new(sender)),
            Mode::Production => {
                Err(Error::config("console: and none: reach no user and are not possible in production mode"))
            }
        }
    }

    #[cfg(feature = "http")]
    fn post<P: super::provider::Provider>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<P>,
    ) -> Result<Box<dyn Sender>> {
        let provider = read(self)?;
        self.settings.carry(super::posting::Posting::new(provider, self.settings.connect())?)
    }

    #[cfg(feature = "smtp")]
    fn mail(mut self, implicit_tls: bool) -> Result<Box<dyn Sender>> {
        let smtp = super::smtp::Smtp::read(&mut self, implicit_tls)?;
        self.settings.carry(smtp)
    }

    /// The user of the URL, or the variable.
    pub(super) fn user(&mut self, variable: &str) -> Result<Secret> {
        self.address
            .user
            .take()
            .or_else(|| self.var(variable).map(Secret::from))
            .ok_or_else(|| self.missing("the user", variable))
    }

    /// The password of the URL, or the variable.
    pub(super) fn password(&mut self, variable: &str) -> Result<Secret> {
        let given = self.address.password.take();
        given.or_else(|| self.var(variable).map(Secret::from)).ok_or_else(|| self.missing("the password", variable))
    }

    /// The host of the URL, with its port.
    #[cfg(feature = "smtp")]
    pub(super) fn host(&mut self) -> Option<String> {
        self.address.host.take()
    }

    /// The user and the password of the URL.
    #[cfg(feature = "smtp")]
    pub(super) fn credentials(&mut self) -> (Option<Secret>, Option<Secret>) {
        (self.address.user.take(), self.address.password.take())
    }

    /// A value of the query, or the first variable that is set.
    pub(super) fn maybe(&mut self, name: &str, variables: &[&str]) -> Option<String> {
        self.address.take(name).or_else(|| variables.iter().find_map(|variable| self.var(variable)))
    }

    /// Where the API is: `base=` in the query, for tests and for gateways in between.
    #[cfg(feature = "http")]
    pub(super) fn base(&mut self, usual: &str) -> Result<Url> {
        if self.address.host.is_some() {
            return Err(malformed("it has a host; another one goes into ?base=https://…"));
        }
        let base = self.address.take("base").unwrap_or_else(|| usual.to_owned());
        let base =
            Url::parse(&base).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.query().is_none());
        base.ok_or_else(|| malformed("base must be an https:// address"))
    }

    /// Refuses what nobody took.
    pub(super) fn finish(&self, known: &str) -> Result<()> {
        self.address.finish(known)
    }

    pub(super) fn missing(&self, part: &str, variable: &str) -> Error {
        let scheme = &self.address.scheme;
        Error::config(format!("{scheme}: needs {part} in its URL, or {variable} in the environment"))
    }

    pub(super) fn var(&self, name: &str) -> Option<String> {
        (self.settings.var)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }
}

#[cfg(all(test, feature = "full", feature = "testkit"))]
mod tests;
