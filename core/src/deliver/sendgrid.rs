//! `sendgrid:`: emails by SendGrid's Mail Send API. <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send>

use std::fmt;

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Message;
use super::carrier::{Receipt, refused};
use super::mailbox::Mailbox;
use super::open::Given;
use super::provider::{Provider, Request, by_status, json, secret};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Reply;
use crate::identifier::Identifier;

const API: &str = "https://api.sendgrid.com";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) struct SendGrid {
    url: Url,
    authorization: HeaderValue,
    from: Value,
}

impl SendGrid {
    /// `sendgrid://KEY@?from=no-reply@…`, or by `SENDGRID_API_KEY` and `SENDGRID_FROM_EMAIL`. Accounts of the European region
    /// are asked at `base=https://api.eu.sendgrid.com`.
    pub(super) fn read(given: &mut Given<'_>) -> Result<Self> {
        let key = given.user("SENDGRID_API_KEY")?;
        let from = given.maybe("from", &["SENDGRID_FROM_EMAIL"]);
        let mut url = given.base(API)?;
        given.finish("from, base")?;
        let from = Mailbox::parse(&from.ok_or_else(|| given.missing("from", "SENDGRID_FROM_EMAIL"))?)?;
        let mut json = json!({ "email": from.address });
        if let Some(name) = from.name {
            json["name"] = name.into();
        }
        url.set_path("/v3/mail/send");
        Ok(Self { url, authorization: secret(&format!("Bearer {}", key.expose()))?, from: json })
    }
}

impl Provider for SendGrid {
    fn name(&self) -> &'static str {
        "sendgrid"
    }

    fn serves(&self, to: &Identifier) -> bool {
        matches!(to, Identifier::Email(_))
    }

    fn request(&self, message: &Message, _: &str) -> Result<Request> {
        // Plain text goes first, as the API wants it.
        let mut content = vec![json!({ "type": "text/plain", "value": message.text.expose() })];
        if let Some(html) = &message.html {
            content.push(json!({ "type": "text/html", "value": html.expose() }));
        }
        let body = json!({
            "personalizations": [{ "to": [{ "email": message.to.as_str() }] }],
            "from": self.from,
            "subject": message.subject,
            "content": content,
            // An account may track by default. That would lead links, which log their holder in, through somebody else's server.
            "tracking_settings": {
                "click_tracking": { "enable": false, "enable_text": false },
                "open_tracking": { "enable": false },
            },
        });
        let headers =
            HeaderMap::from_iter([(AUTHORIZATION, self.authorization.clone()), (ACCEPT, JSON), (CONTENT_TYPE, JSON)]);
        Ok(Request { method: Method::POST, url: self.url.clone(), headers, body: body.to_string().into_bytes() })
    }

    fn receipt(&self, reply: &Reply) -> Result<Receipt> {
        match reply.status {
            202 => {
                let id = reply.headers.get("x-message-id").and_then(|id| id.to_str().ok());
                Ok(Receipt(id.map(str::to_owned)))
            }
            // As the sandbox answers: valid, and not queued.
            200 => {
                Err(refused(ErrorKind::DeliveryFailed, "sendgrid checked the message and did not send it".to_owned()))
            }
            400..=499 => Err(refusal(reply)),
            _ => Err(by_status(self.name(), reply)),
        }
    }
}

/// SendGrid has no numbers for its errors: each names the field that it is about, or none.
/// <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors>
fn refusal(reply: &Reply) -> Error {
    #[derive(Deserialize)]
    struct Refused {
        errors: Vec<Problem>,
    }
    #[derive(Deserialize)]
    struct Problem {
        field: Option<String>,
        message: Option<String>,
    }
    let problems = json::<Refused>(reply).map_or(Vec::new(), |refused| refused.errors);
    let about = |part: &str| problems.iter().any(|one| one.field.as_deref().is_some_and(|field| field.contains(part)));
    // It shares its status with a wrong key.
    let spent = problems.iter().any(|one| one.message.as_deref().is_some_and(|m| m.contains("credits exceeded")));
    let status = reply.status;
    match status {
        401 if spent => {
            refused(ErrorKind::DeliveryLimited, "sendgrid sends no more: the plan's credits are spent".to_owned())
        }
        400 if about(".to.") => {
            refused(ErrorKind::InvalidEmail, "sendgrid does not take the address for one".to_owned())
        }
        400 | 403 if about("from") => {
            refused(ErrorKind::Config, format!("sendgrid does not know the sender's address as yours (HTTP {status})"))
        }
        _ => by_status("sendgrid", reply),
    }
}

impl fmt::Debug for SendGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendGrid(…)")
    }
}
