//! What is done once for all providers: the deadline, trying again where that is safe, the breaker, and what is told.

use std::fmt::{self, Debug};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::breaker::Breaker;
use super::{DeliveryStatus, Message, Sender, StatusRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::identifier::Identifier;
use crate::random::{Random, SystemRandom};
use crate::store::BoxFuture;

/// A provider that can be tried.
pub(super) trait Wire: Debug + Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn serves(&self, to: &Identifier) -> bool;
    fn is_idempotent(&self) -> bool {
        false
    }
    /// Tries once.
    fn attempt<'a>(&'a self, message: &'a Message, key: &'a str) -> BoxFuture<'a, Result<Receipt>>;
    fn status(&self, _: &StatusRequest) -> Option<Result<DeliveryStatus>> {
        None
    }
}

/// The provider took the message, and calls it so.
#[derive(Debug)]
pub(crate) struct Receipt(pub(crate) Option<String>);

/// The provider said no: the message was not sent.
pub(super) fn refused(kind: ErrorKind, why: String) -> Error {
    Error::new(kind, why).undone().answered(true)
}

/// A provider as a sender.
pub(super) struct Carrier {
    wire: Box<dyn Wire>,
    deadline: Duration,
    breaker: Option<Breaker>,
}

/// Tries for one message.
const TRIES: u32 = 3;
/// Before the second try; each one more doubles it.
const PAUSE: Duration = Duration::from_millis(100);

impl Carrier {
    /// `deadline` is that of the whole operation, of which a little is left for what comes after.
    pub(super) fn new(wire: impl Wire, deadline: Duration, breaker: Option<Breaker>) -> Self {
        Self { wire: Box::new(wire), deadline: deadline.mul_f64(0.95), breaker }
    }

    async fn carry(&self, message: &Message) -> Result<()> {
        let pass = self.breaker.as_ref().map(Breaker::admit).transpose();
        let pass = pass.map_err(|wait| self.resting(wait))?;
        let late = || Error::new(ErrorKind::DeliveryFailed, format!("{} did not answer in time", self.wire.name()));
        let outcome = timeout(self.deadline, self.persist(message)).await.unwrap_or_else(|_| Err(late()));
        if let Some(pass) = pass {
            pass.end(outcome.as_ref().is_err_and(is_outage));
        }
        match outcome {
            Ok(Receipt(id)) => {
                tracing::debug!(target: "oncecode", provider = self.wire.name(), receipt = id, "a message was taken");
                Ok(())
            }
            Err(e) => {
                tracing::warn!(target: "oncecode", provider = self.wire.name(), reason = e.code(), "{e}");
                Err(e)
            }
        }
    }

    /// Tries again where the message was surely not sent, or where a second one would be known for the same. This takes
    /// a quarter of the deadline at most, so that another provider has its time, too.
    async fn persist(&self, message: &Message) -> Result<Receipt> {
        let key = key()?;
        let patience = Instant::now() + self.deadline / 4;
        let mut tries = 0;
        loop {
            let error = match self.wire.attempt(message, &key).await {
                Ok(receipt) => return Ok(receipt),
                Err(e) => e,
            };
            tries += 1;
            let pause = error.retry_after().unwrap_or_else(|| pause(tries));
            if tries == TRIES || !self.may_retry(&error) || Instant::now() + pause > patience {
                return Err(error);
            }
            sleep(pause).await;
        }
    }

    fn may_retry(&self, error: &Error) -> bool {
        let harmless = error.is_undone() || self.wire.is_idempotent();
        harmless && !error.is_answered() && error.retryable()
    }

    fn resting(&self, wait: Duration) -> Error {
        let why = format!("{} failed several times in a row, and was not asked", self.wire.name());
        Error::new(ErrorKind::DeliveryFailed, why).with_retry_after(wait).undone().answered(true)
    }
}

impl Sender for Carrier {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.carry(message))
    }

    fn serves(&self, to: &Identifier) -> bool {
        self.wire.serves(to)
    }

    fn status(&self, request: &StatusRequest) -> Option<Result<DeliveryStatus>> {
        self.wire.status(request)
    }
}

/// Whether another message would fare no better.
fn is_outage(error: &Error) -> bool {
    error.kind() == ErrorKind::DeliveryFailed && !error.is_answered()
}

/// Up to half is taken off at random, so that processes do not come back together.
fn pause(tries: u32) -> Duration {
    let mut chance = [0];
    // Without chance they do.
    let _ = SystemRandom.fill(&mut chance);
    PAUSE * 2u32.pow(tries - 1) * (512 - u32::from(chance[0])) / 512
}

fn key() -> Result<String> {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wire.fmt(f)
    }
}
