//! Texts with placeholders: checked once, filled for each message.

use std::borrow::Cow;

use super::duration::Span;
use crate::secret::Secret;

/// What may stand in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Code,
    Link,
    App,
    Minutes,
    Duration,
}

const FIELDS: [(&str, Field); 5] = [
    ("code", Field::Code),
    ("link", Field::Link),
    ("app", Field::App),
    ("minutes", Field::Minutes),
    ("duration", Field::Duration),
];

/// What a template must be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// What may stand in it.
    pub(super) fields: &'static [Field],
    /// What must stand in it.
    pub(super) needs: Option<Field>,
    /// Characters at most.
    pub(super) longest: usize,
    /// Whether it may have several lines.
    pub(super) lines: bool,
    /// Whether what is filled in is escaped.
    pub(super) is_html: bool,
}

/// What is filled in.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    /// The code or the link.
    pub(super) secret: &'a str,
    pub(super) app: &'a str,
    pub(super) life: Span,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Field(Field),
}

/// A checked template.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// Its language, which says how a duration is written.
    lang: String,
    parts: Vec<Part>,
    is_html: bool,
}

impl Template {
    /// Reads a template. An error says what is wrong, without the name of the template.
    pub(super) fn parse(source: &str, lang: &str, form: Form) -> Result<Self, String> {
        if source.trim().is_empty() {
            return Err("it is empty".into());
        }
        if source.chars().count() > form.longest {
            return Err(format!("it must have at most {} characters", form.longest));
        }
        let source = source.replace("\r\n", "\n");
        if source.chars().any(|c| c.is_control() && !(form.lines && matches!(c, '\n' | '\t'))) {
            let but = if form.lines { " but line ends and tabs" } else { "" };
            return Err(format!("it must have no control characters{but}"));
        }
        let parts = split(source.trim_end(), form)?;
        let has = |field| parts.iter().any(|part| matches!(part, Part::Field(f) if *f == field));
        if let Some(field) = form.needs.filter(|field| !has(*field)) {
            return Err(format!("{{{}}} is missing", name(field)));
        }
        if has(Field::Duration) && !Span::has_words(lang) {
            return Err(format!("there are no words for {{duration}} in `{lang}`: write {{minutes}}"));
        }
        Ok(Self { lang: lang.to_owned(), parts, is_html: form.is_html })
    }

    /// Whether the app's name stands in it.
    pub(super) fn names_app(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Field(Field::App)))
    }

    pub(super) fn fill(&self, values: Values<'_>) -> Secret {
        let filled: Vec<Cow<'_, str>> = self.parts.iter().map(|part| self.fill_part(part, values)).collect();
        // In one piece: a string that grows leaves copies of the code behind.
        Secret::from(filled.concat())
    }

    fn fill_part<'a>(&'a self, part: &'a Part, values: Values<'a>) -> Cow<'a, str> {
        let field = match part {
            Part::Text(text) => return Cow::Borrowed(text),
            Part::Field(field) => field,
        };
        let value = match field {
            Field::Code | Field::Link => Cow::Borrowed(values.secret),
            Field::App => Cow::Borrowed(values.app),
            Field::Minutes => Cow::Owned(values.life.minutes().to_string()),
            Field::Duration => Cow::Owned(values.life.words(&self.lang)),
        };
        if self.is_html { Cow::Owned(super::html::escape(&value)) } else { value }
    }
}

/// A word in braces is a placeholder; braces around anything else, such as CSS in HTML, are text.
fn split(source: &str, form: Form) -> Result<Vec<Part>, String> {
    let (mut parts, mut text, mut rest) = (Vec::new(), String::new(), source);
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let word = after.split_once('}').filter(|(word, _)| is_word(word));
        let Some((word, behind)) = word else {
            text.push('{');
            rest = after;
            continue;
        };
        if text.ends_with(['{', '$', '%']) || behind.starts_with('}') {
            return Err(format!("write {{{word}}}, with nothing but the braces around it"));
        }
        let field = FIELDS.iter().find(|(name, field)| *name == word && form.fields.contains(field));
        let Some((_, field)) = field else {
            let known: Vec<_> = form.fields.iter().map(|field| format!("{{{}}}", name(*field))).collect();
            return Err(format!("unknown placeholder {{{word}}}; known here: {}", known.join(", ")));
        };
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(Part::Field(*field));
        rest = behind;
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

/// Spaces too: `{ code }` is meant as a placeholder, and told to be none.
fn is_word(inner: &str) -> bool {
    let word = inner.trim();
    (1..=40).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn name(field: Field) -> &'static str {
    FIELDS.iter().find(|(_, known)| *known == field).map_or("", |(name, _)| name)
}
