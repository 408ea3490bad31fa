//! What the steps of a case know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use oncecode::{Callback, Error, ErrorKind, Message, Oncecode, Options, Secret};
use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

use super::wire::Answer;

#[derive(Clone, Default)]
pub struct World {
    saved: Arc<Mutex<BTreeMap<String, Value>>>,
    jar: Arc<Mutex<BTreeMap<String, String>>>,
}

impl World {
    /// The client of a case.
    pub async fn open(&self, given: &Value) -> Oncecode {
        let mut options = Map::from_iter([
            ("mode".to_owned(), json!("development")),
            ("deadlineMs".to_owned(), json!(5000)),
            ("sender".to_owned(), json!("none:")),
        ]);
        options.extend(given.as_object().cloned().unwrap_or_default());
        let world = self.clone();
        let sender = match options["sender"].as_str() {
            Some("records") => Some(Callback::new(move |message| {
                world.sent(&message);
                async { Ok(()) }
            })),
            Some("fails") => {
                Some(Callback::new(async |_| Err(Error::new(ErrorKind::DeliveryFailed, "the provider is out"))))
            }
            _ => None,
        };
        if sender.is_some() {
            options.remove("sender");
        }
        let options = Options::from_json(&Value::Object(options).to_string()).expect("options");
        let builder = Oncecode::builder("memory:").options(options);
        let opened = match sender {
            Some(sender) => builder.sender(sender).open(),
            None => builder.open(),
        };
        opened.await.expect("a client")
    }

    fn sent(&self, message: &Message) {
        let to = message.to.as_str();
        self.save("message", json!({ "code": message.code.expose(), "to": to }));
        if let Some(url) = message.link.as_ref().map(Secret::expose) {
            self.sent_link(to, url);
        }
    }

    pub fn sent_link(&self, to: &str, url: &str) {
        let token = Regex::new("[?&]token=([^&]+)").expect("a pattern").captures(url).map(|found| found[1].to_owned());
        self.save("link", json!({ "to": to, "url": url, "token": token }));
    }

    pub fn save(&self, name: &str, what: Value) {
        self.saved().insert(name.to_owned(), what);
    }

    fn saved(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        self.saved.lock().expect("no panic")
    }

    /// The header `Cookie`.
    pub fn cookies(&self) -> String {
        let jar = self.jar.lock().expect("no panic");
        jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Keeps cookies as a browser would.
    pub fn keep(&self, answer: &Answer) {
        let mut jar = self.jar.lock().expect("no panic");
        for cookie in answer.headers.get("set-cookie").into_iter().flat_map(|lines| lines.split('\n')) {
            let (name, rest) = cookie.split_once('=').expect("a cookie");
            match cookie.contains("Max-Age=0") {
                true => jar.remove(name),
                false => jar.insert(name.to_owned(), rest.split(';').next().unwrap_or_default().to_owned()),
            };
        }
    }

    /// `value` with every `{name.field|filter}` replaced.
    pub fn filled(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(name, value)| (name.clone(), self.filled(value))).collect())
            }
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::String(text) => {
                let place = Regex::new(r"\{(\w+)\.(\w+)(?:\|(\w+))?\}").expect("a pattern");
                let saved = self.saved();
                let fill = |found: &Captures<'_>| match saved.get(&found[1]).and_then(|all| all[&found[2]].as_str()) {
                    None => found[0].to_owned(),
                    Some(known) => match found.get(3).map(|filter| filter.as_str()) {
                        None => known.to_owned(),
                        Some(filter) => filtered(filter, known),
                    },
                };
                Value::String(place.replace_all(text, fill).into_owned())
            }
            other => other.clone(),
        }
    }
}

fn filtered(filter: &str, known: &str) -> String {
    match filter {
        "wrong" => known.chars().map(|c| c.to_digit(10).map_or(c, |d| char::from(b'0' + (d as u8 + 1) % 10))).collect(),
        "spaced" => format!("{} {}", &known[..3], &known[3..]),
        "altered" => {
            let at = known.len() - 12;
            let other = if known[at..].starts_with('A') { "B" } else { "A" };
            format!("{}{other}{}", &known[..at], &known[at + 1..])
        }
        other => panic!("unknown filter {other}"),
    }
}
