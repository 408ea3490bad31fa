//! What came back beside what a case expects.

use regex::Regex;
use serde_json::{Map, Value};

use super::wire::Answer;

pub fn answer(found: &Answer, step: &Value) -> Result<(), String> {
    if step["status"] != found.status {
        return Err(format!("{}, not {}", found.status, step["status"]));
    }
    for (name, wanted) in step["headers"].as_object().into_iter().flatten() {
        let header = found.headers.get(name).map_or(Value::Null, |text| Value::String(text.clone()));
        matches(&header, wanted).then_some(()).ok_or_else(|| format!("{name} is {header}, not {wanted}"))?;
    }
    match step["body"].as_object() {
        Some(wanted) => fields(&found.body, wanted, step["exactly"] == true),
        None => Ok(()),
    }
}

fn fields(found: &Value, wanted: &Map<String, Value>, exactly: bool) -> Result<(), String> {
    for (name, wanted) in wanted {
        let found = &found[name];
        match wanted.as_object().filter(|_| found.is_object()) {
            Some(wanted) => fields(found, wanted, exactly).map_err(|why| format!("{name}.{why}"))?,
            None if matches(found, wanted) => {}
            None => return Err(format!("{name} is {found}, not {wanted}")),
        }
    }
    let given = found.as_object().ok_or("no object")?.keys();
    let others: Vec<_> = given.filter(|name| wanted.get(*name).is_none_or(Value::is_null)).collect();
    match exactly && !others.is_empty() {
        true => Err(format!("{others:?} should not be there")),
        false => Ok(()),
    }
}

fn matches(found: &Value, wanted: &Value) -> bool {
    match (wanted, found) {
        (Value::String(pattern), found) if pattern.starts_with('~') => {
            let whole = Regex::new(&format!("^(?:{})$", &pattern[1..])).expect("a pattern");
            found.as_str().is_some_and(|text| whole.is_match(text))
        }
        (Value::Array(range), Value::Number(number)) => {
            let ends = (range[0].as_f64().expect("a number"), range[1].as_f64().expect("a number"));
            number.as_f64().is_some_and(|number| ends.0 <= number && number <= ends.1)
        }
        (wanted, found) => wanted == found,
    }
}
