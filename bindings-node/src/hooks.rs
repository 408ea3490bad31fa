//! The app's functions, called in the environment whose call needs them.

use std::sync::Mutex;

use napi::bindgen_prelude::External;
use napi_derive::napi;
use oncecode::{Builder, Callback, Error, ErrorKind};
use tokio::sync::oneshot;

use crate::caller;
use crate::queue::News;

/// Where the app's sender reports to, once.
pub(crate) type Report = Mutex<Option<oneshot::Sender<Outcome>>>;

/// What came of sending by a function of the app's.
pub(crate) enum Outcome {
    /// The message is on its way.
    Sent,
    /// It may be.
    Failed,
    /// It surely is not.
    Undone,
}

/// Has the builder call the functions that the app has.
pub(crate) fn install(mut builder: Builder, sends: u32, tells: bool) -> Builder {
    for which in 0..sends {
        builder = builder.sender(sender(which));
    }
    builder = builder.spawner(caller::outlive);
    if tells {
        builder = builder.events(|event| caller::tell(News::Event(Box::new(event.clone()))));
    }
    builder
}

fn sender(which: u32) -> Callback {
    Callback::new(move |message| async move {
        let (report, outcome) = oneshot::channel();
        caller::tell(News::Send(Box::new(message), report, which));
        // An environment that ended, or a promise that was thrown away, never reports.
        match outcome.await {
            Ok(Outcome::Sent) => Ok(()),
            Ok(Outcome::Undone) => Err(Error::new(ErrorKind::DeliveryFailed, "the sender sent nothing").undone()),
            _ => Err(Error::new(ErrorKind::DeliveryFailed, "the sender failed")),
        }
    })
}

/// The app's sender came to its end; `undone`: it surely sent nothing. `false`: too late, the deadline was over.
#[napi]
pub fn report(to: &External<Report>, sent: bool, undone: bool) -> bool {
    let outcome = match (sent, undone) {
        (true, _) => Outcome::Sent,
        (false, true) => Outcome::Undone,
        (false, false) => Outcome::Failed,
    };
    let report = to.lock().ok().and_then(|mut report| report.take());
    report.is_some_and(|report| report.send(outcome).is_ok())
}

/// A message for the app's sender.
#[napi(object, object_from_js = false)]
pub struct Message {
    /// The normalised address.
    pub to: String,
    /// What the code is for.
    pub purpose: String,
    /// The code; empty where there is a link.
    pub code: String,
    /// The link.
    pub link: Option<String>,
    /// An email's subject.
    pub subject: String,
    /// The text to send, code or link included.
    pub text: String,
    /// The same as HTML, for emails.
    pub html: Option<String>,
    /// How many SMS the text takes, for phones.
    pub segments: Option<u32>,
    /// The challenge id.
    pub id: String,
    /// The BCP 47 locale that was asked for.
    pub locale: Option<String>,
    /// The life the code or link has left, in whole seconds.
    pub expires_in_seconds: f64,
}

impl From<oncecode::Message> for Message {
    fn from(message: oncecode::Message) -> Self {
        Self {
            segments: message.segments().map(|segments| segments.count as u32),
            to: message.to.as_str().to_owned(),
            purpose: message.purpose,
            code: message.code.expose().to_owned(),
            link: message.link.map(|link| link.expose().to_owned()),
            subject: message.subject,
            html: message.html.map(|html| html.expose().to_owned()),
            text: message.text.expose().to_owned(),
            id: message.id,
            locale: message.locale,
            expires_in_seconds: message.expires_in.as_secs() as f64,
        }
    }
}

/// An event for the app's listener.
#[napi(object, object_from_js = false)]
pub struct Event {
    /// The stable name, such as `LOGIN_OTP_VERIFIED`.
    pub name: String,
    /// What happened, without the purpose.
    pub kind: &'static str,
    /// The purpose.
    pub purpose: Option<String>,
    /// The store's scheme.
    pub store: Option<String>,
    /// The masked identifier.
    pub identifier: Option<String>,
    /// Why it was refused or failed: an error code.
    pub reason: Option<String>,
    /// Attempts left, where that is known.
    pub attempts_left: Option<u32>,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: f64,
}

impl From<oncecode::Event> for Event {
    fn from(event: oncecode::Event) -> Self {
        Self {
            name: event.name(),
            kind: event.kind.code(),
            reason: event.reason().map(str::to_owned),
            purpose: event.purpose,
            store: event.store,
            identifier: event.identifier,
            attempts_left: event.attempts_left,
            at_ms: event.at_ms as f64,
        }
    }
}
