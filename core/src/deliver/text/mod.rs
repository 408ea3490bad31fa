//! What messages say.

mod choice;
mod compile;
mod duration;
mod html;
mod locales;
mod segments;
mod template;
mod webotp;

use std::collections::BTreeSet;
use std::time::Duration;

pub use segments::{Encoding, Segments, sms_segments};

use choice::Choice;
use compile::{Kind, Set};
use duration::Span;
use template::{Template, Values};
use webotp::Bound;

use crate::config::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::identifier::Identifier;
use crate::secret::Secret;

/// The texts of a client.
#[derive(Debug)]
pub(crate) struct Texts {
    choice: Choice,
    app: String,
    bound: Option<Bound>,
}

/// What a message is about.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) to: &'a Identifier,
    pub(crate) purpose: &'a str,
    pub(crate) locale: Option<&'a str>,
    pub(crate) life: Duration,
}

/// What a message says.
pub(crate) struct Said {
    pub(crate) subject: String,
    pub(crate) text: Secret,
    /// Emails have it.
    pub(crate) html: Option<Secret>,
}

impl Texts {
    /// Checks the templates, and warns of those that make an SMS cost twice.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let app = settings.app_name.as_deref().unwrap_or_default().trim().to_owned();
        if app.chars().count() > 100 || app.chars().any(char::is_control) {
            return Err(Error::config("appName must be at most 100 characters, none of them a control character"));
        }
        let bound = Bound::new(&settings.domain)?;
        let own = compile::own(&settings.messages, !app.is_empty())?;
        let choice = Choice::new(&own, settings.locale.as_deref(), !app.is_empty())?;
        let texts = Self { choice, app, bound };
        texts.warn(settings, own.keys());
        Ok(texts)
    }

    /// A message with a code.
    pub(crate) fn code(&self, about: About<'_>, code: &Secret) -> Result<Said> {
        let kind = &self.set(about)?.code;
        let values = self.values(code.expose(), about.life);
        Ok(match about.to {
            Identifier::Phone(_) => kind.message(values, self.sms(&kind.sms, values), None),
            Identifier::Email(_) => kind.email(values),
        })
    }

    /// A message with a link.
    pub(crate) fn link(&self, about: About<'_>, link: &Secret) -> Result<Said> {
        let kind = &self.set(about)?.link;
        let values = self.values(link.expose(), about.life);
        Ok(match about.to {
            Identifier::Phone(_) => kind.message(values, kind.sms.fill(values), None),
            Identifier::Email(_) => kind.email(values),
        })
    }

    fn set(&self, about: About<'_>) -> Result<&Set> {
        let set = self.choice.find(about.locale, about.purpose);
        set.ok_or_else(|| Error::new(ErrorKind::Internal, "a message has no texts"))
    }

    fn values<'a>(&'a self, secret: &'a str, life: Duration) -> Values<'a> {
        Values { secret, app: &self.app, life: Span::new(life) }
    }

    /// The line for the browser must be the last.
    fn sms(&self, template: &Template, values: Values<'_>) -> Secret {
        let text = template.fill(values);
        match &self.bound {
            Some(bound) => Secret::from([text.expose(), "\n", &bound.line(values.secret)].concat()),
            None => text,
        }
    }

    /// Once for each template of the app's own, and for what those get who ask for no language.
    fn warn<'a>(&self, settings: &Settings, own: impl Iterator<Item = &'a (String, String)>) {
        let defaults = self.choice.defaults().iter().map(|(purpose, set)| ("the default", purpose, set));
        let own = own.filter_map(|(tag, purpose)| Some((&**tag, purpose, self.choice.find(Some(tag), purpose)?)));
        let mut told = BTreeSet::new();
        for (locale, purpose, set) in defaults.chain(own) {
            let policy = settings.purposes.get(purpose).unwrap_or(&settings.policy);
            let code = "0".repeat(policy.code_length);
            let text = self.sms(&set.code.sms, self.values(&code, policy.ttl)).expose().to_owned();
            let Segments { count, encoding, units } = sms_segments(&text);
            if count > 1 && told.insert((purpose, text)) {
                let (name, single) = (encoding.name(), encoding.single());
                tracing::warn!(target: "oncecode", purpose, locale,
                    "a code's SMS takes {count} segments: {units} units of {name}, and one segment holds {single}");
            }
        }
    }
}

impl Kind {
    fn email(&self, values: Values<'_>) -> Said {
        self.message(values, self.text.fill(values), Some(self.html.fill(values)))
    }

    fn message(&self, values: Values<'_>, text: Secret, html: Option<Secret>) -> Said {
        Said { subject: self.subject.fill(values).expose().to_owned(), text, html }
    }
}

#[cfg(test)]
mod tests;
