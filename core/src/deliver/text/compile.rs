//! Templates as users and we wrote them, checked.

use std::collections::BTreeMap;

use super::choice::{ANY, canonical, wrong};
use super::html;
use super::locales::{LOCALES, Texts as Given, fit};
use super::template::{Field, Form, Template};
use crate::config::{LinkTemplates, MessageOptions};
use crate::error::{Error, Result};

/// The app's own, by language and purpose.
pub(super) type Own = BTreeMap<(String, String), Partial>;

/// Templates that may be given.
#[derive(Clone, Debug, Default)]
pub(super) struct Partial {
    code: Parts,
    link: Parts,
}

#[derive(Clone, Debug, Default)]
struct Parts {
    sms: Option<Template>,
    subject: Option<(String, Template)>,
    body: Option<Body>,
}

#[derive(Clone, Debug)]
struct Body {
    lang: String,
    source: String,
    text: Template,
    html: Option<Template>,
}

/// All that messages of a purpose in a language are made from.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) code: Kind,
    pub(super) link: Kind,
}

/// Templates for messages with a code, or with a link.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) sms: Template,
    pub(super) subject: Template,
    pub(super) text: Template,
    pub(super) html: Template,
}

impl Set {
    /// Of each kind of template the first that is there. Text and HTML come from one place: they must say the same.
    pub(super) fn first<'a>(tried: impl Iterator<Item = &'a Partial>) -> Option<Self> {
        let tried: Vec<&Partial> = tried.collect();
        let code = Kind::first(tried.iter().map(|partial| &partial.code), &CODE)?;
        Some(Self { code, link: Kind::first(tried.iter().map(|partial| &partial.link), &LINK)? })
    }
}

impl Kind {
    fn first<'a>(tried: impl Iterator<Item = &'a Parts> + Clone, forms: &Forms) -> Option<Self> {
        let sms = tried.clone().find_map(|parts| parts.sms.clone())?;
        let (title, subject) = tried.clone().find_map(|parts| parts.subject.clone())?;
        let body = tried.clone().find_map(|parts| parts.body.as_ref())?;
        let made = || Template::parse(&html::from_text(&title, &body.source, &body.lang), &body.lang, forms.made).ok();
        Some(Self { sms, subject, text: body.text.clone(), html: body.html.clone().or_else(made)? })
    }
}

/// What the templates of a kind must be like.
struct Forms {
    sms: Form,
    subject: Form,
    text: Form,
    html: Form,
    /// HTML that was made from a text, which makes it longer.
    made: Form,
}

const CODE: Forms = forms(
    &[Field::Code, Field::App, Field::Minutes, Field::Duration],
    Field::Code,
    &[Field::Code, Field::App, Field::Minutes],
);
const LINK: Forms =
    forms(&[Field::Link, Field::App, Field::Minutes, Field::Duration], Field::Link, &[Field::App, Field::Minutes]);

/// A subject has no words of its own language: it may head a text in another.
const fn forms(fields: &'static [Field], needs: Field, subject: &'static [Field]) -> Forms {
    let text = Form { fields, needs: Some(needs), longest: 10_000, lines: true, is_html: false };
    let html = Form { longest: 100_000, is_html: true, ..text };
    Forms {
        sms: Form { longest: 1000, ..text },
        subject: Form { fields: subject, needs: None, longest: 200, lines: false, is_html: false },
        text,
        html,
        made: Form { longest: 1_000_000, ..html },
    }
}

/// Checks the app's own templates.
pub(super) fn own(options: &MessageOptions, has_app: bool) -> Result<Own> {
    let mut own = Own::new();
    for (purpose, locales) in options {
        let plain = purpose.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b));
        if purpose != ANY && !(plain && (1..=64).contains(&purpose.len())) {
            return Err(Error::config(
                "messages: a purpose is \"*\", or 1 to 64 letters, digits, '_', '-', '.' or ':'",
            ));
        }
        for (locale, given) in locales {
            let name = format!("messages.{purpose}.{locale}");
            let lang = canonical(locale).ok_or_else(|| wrong(&format!("messages.{purpose}: a language")))?;
            let code = Source { sms: &given.sms, subject: &given.subject, text: &given.text, html: &given.html };
            let LinkTemplates { sms, subject, text, html } = &given.link;
            let partial = Partial {
                code: code.check(&name, &lang, &CODE, has_app)?,
                link: Source { sms, subject, text, html }.check(&format!("{name}.link"), &lang, &LINK, has_app)?,
            };
            if own.insert((lang, purpose.clone()), partial).is_some() {
                return Err(Error::config(format!("{name}: this language is there twice")));
            }
        }
    }
    Ok(own)
}

/// Those that come with us, by language.
pub(super) fn builtin(has_app: bool) -> Result<BTreeMap<String, Partial>> {
    let read = |given: &Given, name: &str, lang: &str, forms: &Forms| {
        let [sms, subject, text] = [given.sms, given.subject, given.text].map(|text| Some(fit(text, has_app)));
        Source { sms: &sms, subject: &subject, text: &text, html: &None }.check(name, lang, forms, has_app)
    };
    let locale = |locale: &super::locales::Locale| {
        let tag = locale.tag;
        let code = read(&locale.code, tag, tag, &CODE)?;
        Ok((tag.to_owned(), Partial { code, link: read(&locale.link, tag, tag, &LINK)? }))
    };
    LOCALES.iter().map(locale).collect()
}

struct Source<'a> {
    sms: &'a Option<String>,
    subject: &'a Option<String>,
    text: &'a Option<String>,
    html: &'a Option<String>,
}

impl Source<'_> {
    fn check(&self, name: &str, lang: &str, forms: &Forms, has_app: bool) -> Result<Parts> {
        let read = |field: &str, source: &Option<String>, form: Form| -> Result<Option<(String, Template)>> {
            let Some(source) = source else { return Ok(None) };
            let refuse = |why: String| Error::config(format!("{name}.{field}: {why}"));
            let template = Template::parse(source, lang, form).map_err(refuse)?;
            if template.names_app() && !has_app {
                return Err(refuse("{app} needs the option appName".into()));
            }
            Ok(Some((source.clone(), template)))
        };
        let html = read("html", self.html, forms.html)?.map(|(_, html)| html);
        let text = read("text", self.text, forms.text)?;
        if html.is_some() && text.is_none() {
            return Err(Error::config(format!("{name}.html needs {name}.text: not every mail program shows HTML")));
        }
        Ok(Parts {
            sms: read("sms", self.sms, forms.sms)?.map(|(_, sms)| sms),
            subject: read("subject", self.subject, forms.subject)?,
            body: text.map(|(source, text)| Body { lang: lang.to_owned(), source, text, html }),
        })
    }
}
