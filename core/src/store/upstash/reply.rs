//! What a REST server says: `{ "result": … }` or `{ "error": … }`, with a status.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::store::lua::{Answer, OUT, UNDONE};

const REFUSED: &str = "the REST server refused the token in the store URL, which stands between a colon and the @";

/// Reads a reply. `None`: the server does not know the script, which means that it did nothing.
pub(super) fn read(status: u16, body: &[u8]) -> Result<Option<Answer>> {
    match status {
        200 | 400 => {}
        401 | 403 => return Err(Error::config(REFUSED)),
        408 | 429 | 500.. => {
            let why = format!("the REST server cannot serve the call now: HTTP status {status}");
            let error = Error::new(ErrorKind::StoreUnavailable, why);
            // Too many requests: this one was not looked at. What a server that failed has done is unknown.
            return Err(if status == 429 { error.undone() } else { error });
        }
        _ => {
            return Err(Error::config(format!(
                "the host in the store URL does not speak Upstash's REST protocol there: HTTP status {status}"
            )));
        }
    }
    let mut body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| strange())?;
    match (body.remove("error"), body.remove("result")) {
        (Some(Value::String(error)), _) if error.starts_with("NOSCRIPT") => Ok(None),
        (Some(Value::String(error)), _) => Err(refused(&error)),
        (None, Some(result)) if status == 200 => answer(result).map(Some),
        _ => Err(strange()),
    }
}

/// Every text is in base64, except for the status that is the whole answer.
fn answer(result: Value) -> Result<Answer> {
    match result {
        Value::String(text) if text == "OK" => Ok(Answer::Okay),
        part => nested(part),
    }
}

fn nested(part: Value) -> Result<Answer> {
    match part {
        Value::Null => Ok(Answer::Nil),
        Value::Number(number) => number.as_i64().map(Answer::Int).ok_or_else(strange),
        Value::String(text) => STANDARD.decode(text).map(Answer::Bytes).map_err(|_| strange()),
        Value::Array(parts) => parts.into_iter().map(nested).collect::<Result<_>>().map(Answer::Array),
        Value::Bool(_) | Value::Object(_) => Err(strange()),
    }
}

/// An error of the command. Its text may repeat what was sent, so that none of it goes on but its first word.
fn refused(error: &str) -> Error {
    let says = |what: &str| error.contains(what);
    if error.starts_with("NOPERM") {
        return Error::config(
            "the token may not run EVALSHA, EVAL, GET, SET, DEL, PTTL or INCRBY: not the read-only token is needed here",
        );
    }
    if error.starts_with("WRONGPASS") || error.starts_with("NOAUTH") {
        return Error::config(REFUSED);
    }
    if says("'struct'") {
        return Error::config("this server's Lua has no struct library, which Redis has and our scripts need");
    }
    if says("max requests limit") || says("max daily request limit") {
        let why = "the database's plan allows no more requests for now";
        return Error::new(ErrorKind::StoreUnavailable, why).undone();
    }
    let code = error.split_whitespace().next().unwrap_or_default();
    let is_code = code.len() < 20 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    let why = format!("Redis refused: {}", if is_code { code } else { "ERR" });
    let error = Error::new(ErrorKind::StoreUnavailable, why).answered(!OUT.contains(&code));
    if UNDONE.contains(&code) { error.undone() } else { error }
}

pub(super) fn strange() -> Error {
    Error::new(ErrorKind::StoreUnavailable, "the REST server gave an answer of unknown form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let read = |body: &str| read(200, body.as_bytes()).map_err(|e| e.code());
        assert_eq!(read(r#"{"result":"OK"}"#), Ok(Some(Answer::Okay)));
        assert_eq!(read(r#"{"result":"T0s="}"#), Ok(Some(Answer::Bytes(b"OK".into()))));
        assert_eq!(read(r#"{"result":null}"#), Ok(Some(Answer::Nil)));
        let list = Answer::Array(vec![Answer::Bytes(vec![0xff, 0]), Answer::Int(-7), Answer::Array(vec![])]);
        assert_eq!(read(r#"{"result":["/wA=",-7,[]]}"#), Ok(Some(list)));
        assert_eq!(read(r#"{"error":"NOSCRIPT No matching script"}"#), Ok(None));
        for strange in [
            "",
            "<html>",
            "[]",
            "7",
            "{}",
            r#"{"error":7}"#,
            r#"{"result":"!"}"#,
            r#"{"result":1.5}"#,
            r#"{"result":{}}"#,
        ] {
            assert_eq!(read(strange), Err("STORE_UNAVAILABLE"), "{strange}");
        }
    }

    #[test]
    fn statuses_say_whose_fault_it_is() {
        let code = |status| read(status, b"{\"error\":\"x\"}").map_err(|e| e.code()).expect_err("no answer");
        for config in [301, 302, 401, 403, 404, 405] {
            assert_eq!(code(config), "CONFIG", "{config}");
        }
        for unavailable in [400, 408, 429, 500, 502, 503, 504] {
            assert_eq!(code(unavailable), "STORE_UNAVAILABLE", "{unavailable}");
        }
    }

    #[test]
    fn refusals_repeat_nothing_but_their_kind() {
        let said = |error: &str| (refused(error).code(), refused(error).to_string());
        assert_eq!(said("OOM command not allowed"), ("STORE_UNAVAILABLE", "Redis refused: OOM".into()));
        assert_eq!(said("secret arguments"), ("STORE_UNAVAILABLE", "Redis refused: ERR".into()));
        assert_eq!(said("NOPERM this user has no permissions to run the 'evalsha' command").0, "CONFIG");
        assert!(said("ERR max requests limit exceeded. Limit: 10000").1.contains("plan"));
    }
}
