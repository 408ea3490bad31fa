//! `webhook:`: any gateway, by a template of its request.

mod template;

use std::fmt;

use percent_encoding::percent_decode_str;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use self::template::{Place, Template};
use super::Message;
use super::carrier::Receipt;
use super::provider::{Provider, Request, by_status, secret};
use crate::config::WebhookOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Reply;
use crate::identifier::Identifier;

/// What a gateway of one's own gets where nothing else is said.
const DEFAULT_BODY: &str = r#"{"to":"{to}","text":"{text}","code":"{code}","link":"{link}","subject":"{subject}","html":"{html}","purpose":"{purpose}","locale":"{locale}","id":"{id}","key":"{key}"}"#;

pub(super) struct Webhook {
    method: Method,
    url: Template,
    headers: Vec<(HeaderName, Template)>,
    authorization: Option<HeaderValue>,
    body: Option<(HeaderValue, Template)>,
    phones: bool,
    emails: bool,
    expect: Option<String>,
    idempotent: bool,
}

impl Webhook {
    /// `webhook+https://[user:password@]host/path`: the default body, posted there.
    pub(super) fn from_url(url: &str) -> Result<Self> {
        let url = url.split_once('+').map_or(url, |(_, url)| url).to_owned();
        Self::new(&WebhookOptions { url, ..WebhookOptions::default() })
    }

    pub(super) fn new(options: &WebhookOptions) -> Result<Self> {
        let method = options.method.as_deref().unwrap_or("POST").to_ascii_uppercase();
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| malformed("method is no HTTP method"))?;
        let (url, authorization) = address(&options.url)?;
        let (phones, emails) = match options.serves.as_deref() {
            None | Some("both") => (true, true),
            Some("phone") => (true, false),
            Some("email") => (false, true),
            Some(_) => return Err(malformed("serves must be \"phone\", \"email\" or \"both\"")),
        };
        let headers = options.headers.iter().map(|(name, value)| {
            let known = HeaderName::try_from(name).map_err(|_| malformed("a header's name is none"))?;
            Ok((known, Template::new("a header", value, Place::Header)?))
        });
        Ok(Self {
            body: body(options, &method)?,
            method,
            url,
            headers: headers.collect::<Result<_>>()?,
            authorization,
            phones,
            emails,
            expect: options.expect.clone(),
            idempotent: options.idempotent,
        })
    }
}

/// The URL's template, and what its user and password are as a header.
fn address(given: &str) -> Result<(Template, Option<HeaderValue>)> {
    let sample = Url::parse(&given.replace(['{', '}'], "")).map_err(|_| malformed("url is no URL"))?;
    if !matches!(sample.scheme(), "http" | "https") {
        return Err(malformed("url begins with https://, or http:// for a gateway nearby"));
    }
    let (scheme, rest) = given.split_once("://").ok_or_else(|| malformed("url is no URL"))?;
    let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (credentials, host) = place.rsplit_once('@').map_or((None, place), |(who, host)| (Some(who), host));
    if host.contains(['{', '}']) {
        return Err(malformed("url must not have placeholders in its host"));
    }
    let authorization = credentials.map(|who| {
        use base64::Engine;
        let who: Vec<u8> = percent_decode_str(who).collect();
        secret(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(who)))
    });
    let template = Template::new("url", &format!("{scheme}://{host}{path}"), Place::Url)?;
    Ok((template, authorization.transpose()?))
}

fn body(options: &WebhookOptions, method: &Method) -> Result<Option<(HeaderValue, Template)>> {
    let body = match &options.body {
        Some(body) => body.as_str(),
        None if method == Method::GET => return Ok(None),
        None => DEFAULT_BODY,
    };
    let kind = options.content_type.as_deref().unwrap_or("application/json");
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let place = match essence.as_str() {
        "application/json" => Place::Json,
        "application/x-www-form-urlencoded" => Place::Url,
        "text/xml" | "application/xml" => Place::Xml,
        "text/plain" => Place::Plain,
        json if json.ends_with("+json") => Place::Json,
        xml if xml.ends_with("+xml") => Place::Xml,
        _ => {
            return Err(malformed(
                "contentType must be JSON, a form, XML or plain text: what to escape is not known of others",
            ));
        }
    };
    let header = HeaderValue::try_from(kind).map_err(|_| malformed("contentType is no header's value"))?;
    Ok(Some((header, Template::new("body", body, place)?)))
}

impl Provider for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn serves(&self, to: &Identifier) -> bool {
        match to {
            Identifier::Phone(_) => self.phones,
            Identifier::Email(_) => self.emails,
        }
    }

    fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    fn request(&self, message: &Message, key: &str) -> Result<Request> {
        let url = Url::parse(&self.url.fill(message, key)?).map_err(|_| malformed("url is none for this message"))?;
        let mut headers = HeaderMap::new();
        let key_header = HeaderValue::try_from(key).map_err(|_| malformed("the key cannot be a header"))?;
        headers.insert(HeaderName::from_static("idempotency-key"), key_header);
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let body = match &self.body {
            Some((kind, template)) => {
                headers.insert(CONTENT_TYPE, kind.clone());
                template.fill(message, key)?.into_bytes()
            }
            None => Vec::new(),
        };
        for (name, template) in &self.headers {
            headers.insert(name, secret(&template.fill(message, key)?)?);
        }
        Ok(Request { method: self.method.clone(), url, headers, body })
    }

    fn receipt(&self, reply: &Reply) -> Result<Receipt> {
        if !(200..300).contains(&reply.status) {
            return Err(by_status(self.name(), reply));
        }
        let said = String::from_utf8_lossy(&reply.body);
        match self.expect.as_ref().is_none_or(|expected| said.contains(expected)) {
            true => Ok(Receipt(None)),
            // Whether it was sent nobody but the gateway knows.
            false => {
                Err(Error::new(ErrorKind::DeliveryFailed, "the webhook's answer is not what `expect` says")
                    .answered(true))
            }
        }
    }
}

/// What is in a template may be a password.
fn malformed(why: &str) -> Error {
    Error::config(format!("the webhook sender cannot be used: {why}"))
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook(…)")
    }
}
