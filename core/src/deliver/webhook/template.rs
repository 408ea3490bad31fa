//! Text with `{placeholders}`, filled in so that no message can change what stands around it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::malformed;
use crate::deliver::Message;
use crate::error::Result;
use crate::secret::Secret;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a template stands, which says what must be escaped in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Url,
    Json,
    Xml,
    Header,
    Plain,
}

pub(super) struct Template {
    parts: Vec<Part>,
    place: Place,
}

enum Part {
    Text(String),
    Field(Field),
}

type Field = fn(&Message, &str) -> String;

const FIELDS: [(&str, Field); 12] = [
    ("to", |m, _| m.to.as_str().to_owned()),
    ("digits", |m, _| m.to.as_str().trim_start_matches('+').to_owned()),
    ("text", |m, _| m.text.expose().to_owned()),
    ("code", |m, _| m.code.expose().to_owned()),
    ("link", |m, _| shown(&m.link)),
    ("subject", |m, _| m.subject.clone()),
    ("html", |m, _| shown(&m.html)),
    ("id", |m, _| m.id.clone()),
    ("purpose", |m, _| m.purpose.clone()),
    ("locale", |m, _| m.locale.clone().unwrap_or_default()),
    ("minutes", |m, _| m.expires_in.as_secs().div_ceil(60).max(1).to_string()),
    ("key", |_, key| key.to_owned()),
];

fn shown(secret: &Option<Secret>) -> String {
    secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default()
}

impl Template {
    /// `what` names it in errors, which never repeat it.
    pub(super) fn new(what: &str, text: &str, place: Place) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, name, after)) = next(rest) {
            let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
                let known = FIELDS.map(|(known, _)| format!("{{{known}}}")).join(", ");
                return Err(malformed(&format!("{what} has a placeholder that is unknown; known are {known}")));
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Field(*field));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let template = Self { parts, place };
        if place == Place::Json && serde_json::from_str::<serde_json::Value>(&template.join(|_| "a b".into())).is_err()
        {
            return Err(malformed(&format!("{what} is not JSON; placeholders stand within its strings")));
        }
        if place == Place::Header && template.join(|_| String::new()).contains(char::is_control) {
            return Err(malformed(&format!("{what} has a control character")));
        }
        Ok(template)
    }

    pub(super) fn fill(&self, message: &Message, key: &str) -> Result<String> {
        Ok(self.join(|field| escape(&field(message, key), self.place)))
    }

    fn join(&self, fill: impl Fn(&Field) -> String) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Field(field) => fill(field),
        };
        self.parts.iter().map(text).collect()
    }
}

/// What stands before the next `{word}`, the word, and the rest. JSON's own braces are followed by other things.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(at) = text[from..].find('{').map(|at| from + at) {
        let word = &text[at + 1..];
        let length = word.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(word.len());
        if length > 0 && word[length..].starts_with('}') {
            return Some((&text[..at], &word[..length], &word[length + 1..]));
        }
        from = at + 1;
    }
    None
}

fn escape(value: &str, place: Place) -> String {
    match place {
        Place::Url => utf8_percent_encode(value, UNRESERVED).to_string(),
        Place::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        Place::Xml => {
            // What XML 1.0 cannot hold at all is left out.
            let allowed = value.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
            allowed.fold(String::with_capacity(value.len()), |mut text, c| {
                match c {
                    '&' => text.push_str("&amp;"),
                    '<' => text.push_str("&lt;"),
                    '>' => text.push_str("&gt;"),
                    '"' => text.push_str("&quot;"),
                    '\'' => text.push_str("&apos;"),
                    c => text.push(c),
                }
                text
            })
        }
        // A header is one line.
        Place::Header => value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        Place::Plain => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_place() {
        let nasty = "\"},{\"a\":\"\\\n<b>&'\u{0}\r\n+ é🙂";
        assert_eq!(escape(nasty, Place::Url).find(|c: char| !(c.is_ascii_alphanumeric() || "-._~%".contains(c))), None);
        let json = format!("{{\"x\":\"{}\"}}", escape(nasty, Place::Json));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["x"], nasty);
        assert_eq!(escape(nasty, Place::Xml).find(['<', '>', '"', '\'', '\0']), None);
        assert_eq!(escape(nasty, Place::Header).find(char::is_control), None);
        assert_eq!(escape(nasty, Place::Plain), nasty);
    }

    #[test]
    fn only_known_words_in_braces_are_placeholders() {
        assert_eq!(next(r#"{"a":"{to}"}"#), Some((r#"{"a":""#, "to", r#""}"#)));
        assert_eq!(next("{} { to } {To} {é"), None);
        for (text, place) in [("{phone}", Place::Url), ("{\"a\":{to}", Place::Json), ("a\r\nb: {to}", Place::Header)] {
            assert_eq!(Template::new("x", text, place).err().map(|e| e.code()), Some("CONFIG"), "{text}");
        }
    }
}
