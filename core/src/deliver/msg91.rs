//! `msg91:`: SMS by MSG91, whose templates are approved before: what is sent is the template's text with our code in it.
//! <https://docs.msg91.com/sms/send-sms>, <https://docs.msg91.com/otp/sendotp>

use std::fmt;

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Message;
use super::carrier::{Receipt, refused};
use super::open::Given;
use super::provider::{Provider, Request, by_status, json, limited, secret};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Reply;
use crate::identifier::Identifier;

const API: &str = "https://control.msg91.com";
const AUTHKEY: HeaderName = HeaderName::from_static("authkey");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) struct Msg91 {
    url: Url,
    key: HeaderValue,
    template: String,
    product: Product,
}

/// Which of its products sends.
enum Product {
    /// SMS by a template with variables.
    Flow { variable: String, sender: Option<String> },
    /// `SendOTP`, which would also make and check codes; here it sends ours.
    Otp,
}

impl Msg91 {
    /// `msg91://AUTHKEY@?template=…`, or by `MSG91_AUTH_KEY` and `MSG91_TEMPLATE_ID`; `MSG91_SENDER_ID`. `variable=` is the
    /// template's for the code (`VAR1`), `api=otp` asks the product of that name.
    pub(super) fn read(given: &mut Given<'_>) -> Result<Self> {
        let key = given.user("MSG91_AUTH_KEY")?;
        let template = given.maybe("template", &["MSG91_TEMPLATE_ID"]);
        let api = given.maybe("api", &[]);
        let variable = given.maybe("variable", &[]);
        let sender = given.maybe("sender", &["MSG91_SENDER_ID"]);
        let mut url = given.base(API)?;
        given.finish("template, api, variable, sender, base")?;
        let template = template.ok_or_else(|| given.missing("template", "MSG91_TEMPLATE_ID"))?;
        let (path, product) = match api.as_deref() {
            None | Some("flow") => {
                let variable = variable.unwrap_or_else(|| "VAR1".to_owned());
                if variable == "mobiles" {
                    return Err(Error::config("msg91: variable is the template's for the code; mobiles is the number"));
                }
                ("/api/v5/flow/", Product::Flow { variable, sender })
            }
            Some("otp") if variable.is_none() => ("/api/v5/otp", Product::Otp),
            Some("otp") => return Err(Error::config("msg91: with api=otp the code has no variable")),
            Some(_) => return Err(Error::config("msg91: api is flow or otp")),
        };
        url.set_path(path);
        Ok(Self { url, key: secret(key.expose())?, template, product })
    }
}

impl Provider for Msg91 {
    fn name(&self) -> &'static str {
        "msg91"
    }

    fn serves(&self, to: &Identifier) -> bool {
        matches!(to, Identifier::Phone(_))
    }

    fn request(&self, message: &Message, _: &str) -> Result<Request> {
        let mobile = message.to.as_str().trim_start_matches('+');
        let mut headers = HeaderMap::from_iter([(AUTHKEY, self.key.clone()), (ACCEPT, JSON)]);
        let mut url = self.url.clone();
        let body = match &self.product {
            Product::Flow { variable, sender } => {
                headers.insert(CONTENT_TYPE, JSON);
                let code = message.link.as_ref().unwrap_or(&message.code);
                // A link that MSG91 shortens leads through its server.
                let mut body = json!({
                    "flow_id": self.template, "short_url": "0", "recipients": [{ "mobiles": mobile, variable: code.expose() }],
                });
                if let Some(sender) = sender {
                    body["sender"] = sender.as_str().into();
                }
                body.to_string().into_bytes()
            }
            Product::Otp => {
                let code = message.code.expose();
                if !(4..=9).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(Error::config("msg91: api=otp sends codes of 4 to 9 digits alone; api=flow sends all"));
                }
                let minutes = message.expires_in.as_secs().div_ceil(60).clamp(1, 1440);
                url.query_pairs_mut()
                    .append_pair("otp_expiry", &minutes.to_string())
                    .append_pair("template_id", &self.template)
                    .append_pair("mobile", mobile)
                    .append_pair("otp_length", &code.len().to_string())
                    .append_pair("otp", code);
                Vec::new()
            }
        };
        Ok(Request { method: Method::POST, url, headers, body })
    }

    fn receipt(&self, reply: &Reply) -> Result<Receipt> {
        let said = json::<Said>(reply).unwrap_or_default();
        match said.kind.as_deref() {
            Some("success") if (200..300).contains(&reply.status) => match said.text() {
                // So it answers to who asks it whether a code is right. Nothing is on its way.
                text if text.to_ascii_lowercase().contains("already verified") => Err(refused(
                    ErrorKind::DeliveryFailed,
                    "msg91 did not send the message: it holds the number for verified already".to_owned(),
                )),
                text => Ok(Receipt(said.request_id.or(Some(text)).filter(|id| !id.is_empty()))),
            },
            Some("error") if reply.status < 500 => Err(refusal(&said, reply)),
            None if reply.status == 418 => Err(refusal(&said, reply)),
            _ => Err(by_status(self.name(), reply)),
        }
    }
}

/// The status is often 200, whatever happened; the type is not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    #[serde(rename = "type")]
    kind: Option<String>,
    /// A sentence; the message's number; or an error's.
    message: Value,
    code: Value,
    request_id: Option<String>,
}

impl Said {
    fn text(&self) -> String {
        match &self.message {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }

    /// MSG91's own number for an error, where it says one.
    fn number(&self) -> Option<u32> {
        [&self.code, &self.message].into_iter().find_map(|value| match value {
            Value::Number(number) => number.as_u64()?.try_into().ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        })
    }
}

fn refusal(said: &Said, reply: &Reply) -> Error {
    let number = said.number().or(Some(reply.status.into()).filter(|status| *status == 418));
    let kind = number.and_then(by_number).or_else(|| by_words(&said.text().to_ascii_lowercase()));
    let shown = number.map_or(String::new(), |number| format!(": its error {number}"));
    match kind {
        Some(ErrorKind::Config) if number == Some(418) => refused(
            ErrorKind::Config,
            "msg91 does not know this server's IP address: allow it there (its error 418)".into(),
        ),
        _ if reply.status == 429 => limited("msg91", reply),
        Some(kind) => refused(kind, format!("msg91 did not send the message{shown}")),
        None if matches!(reply.status, 401 | 403) => by_status("msg91", reply),
        None => refused(ErrorKind::DeliveryFailed, format!("msg91 did not send the message{shown}")),
    }
}

/// <https://msg91.com/help/how-to-update-contact-details-for-billing-and-tech-alerts>
fn by_number(number: u32) -> Option<ErrorKind> {
    Some(match number {
        202 => ErrorKind::InvalidPhone,
        301 => ErrorKind::DeliveryLimited,
        // The key, the sender, the account, this server's IP address.
        201 | 203 | 207 | 208 | 302 | 303 | 418 => ErrorKind::Config,
        _ => return None,
    })
}

/// Where there is no number, the sentence is all there is.
fn by_words(text: &str) -> Option<ErrorKind> {
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if any(&["authkey", "auth key", "authentication", "whitelist", "template", "flow id", "sender id"]) {
        return Some(ErrorKind::Config);
    }
    if any(&["balance", "credit", "rate limit", "too many"]) {
        return Some(ErrorKind::DeliveryLimited);
    }
    (any(&["mobile", "phone"]) && any(&["valid", "incorrect", "wrong"])).then_some(ErrorKind::InvalidPhone)
}

impl fmt::Debug for Msg91 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Msg91(…)")
    }
}
