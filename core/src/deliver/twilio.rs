//! `twilio:`: SMS by Twilio's Messages API. <https://www.twilio.com/docs/messaging/api/message-resource>

mod signature;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::carrier::{Receipt, refused};
use super::open::Given;
use super::provider::{Provider, Request, by_status, json, limited, secret};
use super::{DeliveryState, DeliveryStatus, Message, StatusRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Reply;
use crate::identifier::Identifier;
use crate::secret::Secret;

const API: &str = "https://api.twilio.com";
/// What RFC 3986 leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) struct Twilio {
    url: Url,
    authorization: HeaderValue,
    token: Secret,
    /// `From` or `MessagingServiceSid`, and its value.
    origin: (&'static str, String),
    /// Where Twilio says what became of a message; `{id}` is the challenge's.
    callback: Option<String>,
}

impl Twilio {
    /// `twilio://SID:TOKEN@?from=+1555…&callback=https://…`, or by `TWILIO_ACCOUNT_SID`, `TWILIO_AUTH_TOKEN`, and
    /// `TWILIO_MESSAGING_SERVICE_SID`, `TWILIO_PHONE_NUMBER` or `TWILIO_FROM_NUMBER`; `TWILIO_STATUS_CALLBACK`.
    pub(super) fn read(given: &mut Given<'_>) -> Result<Self> {
        let account = given.user("TWILIO_ACCOUNT_SID")?;
        let token = given.password("TWILIO_AUTH_TOKEN")?;
        let service = given.maybe("service", &["TWILIO_MESSAGING_SERVICE_SID"]);
        let from = given.maybe("from", &["TWILIO_PHONE_NUMBER", "TWILIO_FROM_NUMBER"]);
        let callback = given.maybe("callback", &["TWILIO_STATUS_CALLBACK"]);
        let mut url = given.base(API)?;
        given.finish("from, service, callback, base")?;
        let origin = match (service, from) {
            (Some(service), _) => ("MessagingServiceSid", service),
            (None, Some(from)) => ("From", from),
            _ => return Err(given.missing("from", "TWILIO_PHONE_NUMBER or TWILIO_MESSAGING_SERVICE_SID")),
        };
        let plain = account.expose().bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain {
            return Err(Error::config("TWILIO_ACCOUNT_SID is AC and 32 hexadecimal digits"));
        }
        if callback.as_deref().is_some_and(|url| Url::parse(&url.replace("{id}", "id")).is_err()) {
            return Err(Error::config("TWILIO_STATUS_CALLBACK must be a whole URL"));
        }
        url.set_path(&format!("/2010-04-01/Accounts/{}/Messages.json", account.expose()));
        let basic = STANDARD.encode(format!("{}:{}", account.expose(), token.expose()));
        Ok(Self { url, authorization: secret(&format!("Basic {basic}"))?, token, origin, callback })
    }
}

impl Provider for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn serves(&self, to: &Identifier) -> bool {
        matches!(to, Identifier::Phone(_))
    }

    fn request(&self, message: &Message, _: &str) -> Result<Request> {
        let callback = self.callback.as_deref().map(|url| url.replace("{id}", &message.id));
        let fields = [
            ("To", Some(message.to.as_str())),
            ("StatusCallback", callback.as_deref()),
            (self.origin.0, Some(&self.origin.1)),
            ("Body", Some(message.text.expose())),
        ];
        let field = |(name, value): (&str, Option<&str>)| Some(format!("{name}={}", utf8_percent_encode(value?, FORM)));
        let body = fields.into_iter().filter_map(field).collect::<Vec<_>>().join("&").into_bytes();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        Ok(Request { method: Method::POST, url: self.url.clone(), headers, body })
    }

    fn receipt(&self, reply: &Reply) -> Result<Receipt> {
        #[derive(Deserialize)]
        struct Taken {
            sid: String,
            status: String,
            error_code: Option<u32>,
        }
        #[derive(Deserialize)]
        struct Refused {
            code: u32,
        }
        if reply.status == 201 {
            return match json::<Taken>(reply) {
                Some(Taken { status, error_code, .. }) if matches!(&*status, "failed" | "undelivered" | "canceled") => {
                    Err(self.refusal(error_code.unwrap_or_default(), reply))
                }
                Some(Taken { sid, .. }) => Ok(Receipt(Some(sid))),
                None => Err(Error::new(ErrorKind::DeliveryFailed, "twilio answered with something strange (HTTP 201)")),
            };
        }
        match json::<Refused>(reply) {
            Some(Refused { code }) if (400..500).contains(&reply.status) => Err(self.refusal(code, reply)),
            _ => Err(by_status(self.name(), reply)),
        }
    }

    fn status(&self, request: &StatusRequest) -> Option<Result<DeliveryStatus>> {
        let signature = request.header("x-twilio-signature")?;
        Some(self.read_status(request, signature))
    }
}

impl Twilio {
    fn refusal(&self, code: u32, reply: &Reply) -> Error {
        match kind(code) {
            // What a moment mends, unlike a day's or an account's limit.
            Some(ErrorKind::DeliveryLimited) if code == 20429 => limited(self.name(), reply),
            Some(kind) => refused(kind, format!("twilio did not send the message: its error {code}")),
            None if reply.status == 429 => limited(self.name(), reply),
            None if matches!(reply.status, 401 | 403) => by_status(self.name(), reply),
            None => refused(ErrorKind::DeliveryFailed, format!("twilio did not send the message: its error {code}")),
        }
    }

    fn read_status(&self, request: &StatusRequest, signature: &str) -> Result<DeliveryStatus> {
        let fields: Vec<(String, String)> = form_urlencoded::parse(&request.body).into_owned().collect();
        if !signature::matches(&self.token, &request.url, &fields, signature) {
            return Err(Error::new(
                ErrorKind::InvalidSignature,
                "the signature of the status callback is not Twilio's",
            ));
        }
        let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let state = match field("MessageStatus").or_else(|| field("SmsStatus")) {
            Some("accepted" | "scheduled" | "queued" | "sending") => DeliveryState::Queued,
            Some("sent") => DeliveryState::Sent,
            Some("delivered" | "read") => DeliveryState::Delivered,
            Some("failed" | "undelivered" | "canceled") => DeliveryState::Failed,
            _ => DeliveryState::Unknown,
        };
        let code = field("ErrorCode").filter(|code| !matches!(*code, "" | "0"));
        Ok(DeliveryStatus {
            provider: self.name(),
            message: field("MessageSid").or_else(|| field("SmsSid")).unwrap_or_default().to_owned(),
            state,
            reason: code.and_then(|code| kind(code.parse().ok()?)),
            provider_code: code.map(str::to_owned),
        })
    }
}

/// <https://www.twilio.com/docs/api/errors>
fn kind(code: u32) -> Option<ErrorKind> {
    Some(match code {
        // Not a number; a number of no plan.
        21211 | 21217 | 21401 | 21421 => ErrorKind::InvalidPhone,
        // No mobile, opted out, not to be reached: at once, or (3xxxx) later.
        21610 | 21612 | 21614 | 30003..=30006 => ErrorKind::Unreachable,
        // The account may not send there.
        21408 | 21635 | 30450 | 60605 => ErrorKind::RegionBlocked,
        // Too fast, too much, queues full, no money.
        14107 | 20429 | 21611 | 30001 | 30022 | 30023 | 63038 => ErrorKind::DeliveryLimited,
        // Credentials, a suspended account, a sender that is not the account's.
        20003..=20006 | 20404 | 21212 | 21603 | 21606 | 21659..=21661 | 21701 | 21703 | 30002 | 30034 => {
            ErrorKind::Config
        }
        _ => return None,
    })
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Twilio(…)")
    }
}
