//! `smtp://` and `smtps://`: emails by a mail server. RFC 5321, RFC 8314

mod letter;
mod refusal;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use rustls::pki_types::ServerName;
use tokio::time::timeout;

use self::refusal::{Step, failed};
use super::Message;
use super::address::malformed;
use super::carrier::{Receipt, Wire, refused};
use super::mailbox::Mailbox;
use super::open::Given;
use crate::error::{Error, ErrorKind, Result};
use crate::identifier::Identifier;
use crate::secret::Secret;
use crate::store::BoxFuture;

pub(super) struct Smtp {
    host: String,
    port: u16,
    security: Security,
    login: Option<(Secret, Secret)>,
    from: Mailbox,
    /// The part of the deadline that everything before the message may take.
    patience: Duration,
}

enum Security {
    /// From the first byte on.
    Tls(TlsParameters),
    /// Asked for before anything of ours is said; a server that does not offer it gets nothing.
    StartTls(TlsParameters),
    None,
}

/// For a goodbye that nobody waits for.
const GOODBYE: Duration = Duration::from_secs(5);

impl Smtp {
    /// `smtp://user:password@host:587?from=no-reply@…` (STARTTLS) or `smtps://…:465`. Where there is no host: by `SMTP_HOST`,
    /// `SMTP_PORT`, `SMTP_USER` and `SMTP_PASSWORD`; `SMTP_FROM`. `ssl_ca_certs=` is the file of one's own authority,
    /// `tls=none` says that nobody listens in.
    pub(super) fn read(given: &mut Given<'_>, implicit: bool) -> Result<Self> {
        let usual = if implicit { 465 } else { 587 };
        let (host, port, login) = match given.host() {
            Some(place) => {
                let (host, port) = place_of(&place)?;
                (host, port.unwrap_or(usual), given.credentials())
            }
            None => {
                let host = given.var("SMTP_HOST").ok_or_else(|| given.missing("a host", "SMTP_HOST"))?;
                let port =
                    given.var("SMTP_PORT").map(|port| port.parse().map_err(|_| malformed("SMTP_PORT is no port")));
                let secret = |name| given.var(name).map(Secret::from);
                (host, port.transpose()?.unwrap_or(usual), (secret("SMTP_USER"), secret("SMTP_PASSWORD")))
            }
        };
        let from = given.maybe("from", &["SMTP_FROM"]);
        let authority = given.maybe("ssl_ca_certs", &[]);
        let tls = given.maybe("tls", &[]);
        given.finish("from, tls, ssl_ca_certs")?;
        let from = Mailbox::parse(&from.ok_or_else(|| given.missing("from", "SMTP_FROM"))?)?;
        let login = match login {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => return Err(malformed("a user without a password, or the other way round")),
        };
        if ServerName::try_from(host.as_str()).is_err() {
            return Err(malformed("its host is neither a name nor an IP address"));
        }
        let security = match (implicit, tls.as_deref()) {
            (true, None) => Security::Tls(parameters(&host, authority.as_deref())?),
            (false, None | Some("required")) => Security::StartTls(parameters(&host, authority.as_deref())?),
            (false, Some("none")) if login.is_some() && !is_loopback(&host) => {
                return Err(malformed("with tls=none a password would go over the network for all to read"));
            }
            (false, Some("none")) => Security::None,
            _ => return Err(malformed("tls is required or none, and of smtps:// nothing else than TLS")),
        };
        Ok(Self { host, port, security, login, from, patience: given.settings.deadline / 2 })
    }

    async fn deliver(&self, message: &Message, key: &str) -> Result<Receipt> {
        // The same for every try: who gets two can tell that they are one.
        let id = format!("{key}@{}", self.from.domain());
        let letter = letter::write(message, &self.from, &id)?;
        let late = |_| Error::new(ErrorKind::DeliveryFailed, "the mail server did not answer in time").undone();
        let mut line = timeout(self.patience, self.dial()).await.map_err(late)??;
        let outcome = hand_over(&mut line, &letter).await;
        tokio::spawn(async move { timeout(GOODBYE, line.abort()).await });
        outcome.map(|()| Receipt(Some(id)))
    }

    /// To where mail can be handed over: connected, secured, logged in.
    async fn dial(&self) -> Result<AsyncSmtpConnection> {
        let hello = ClientId::Domain(self.from.domain().to_owned());
        let tls = match &self.security {
            Security::Tls(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let line = AsyncSmtpConnection::connect_tokio1((self.host.as_str(), self.port), None, &hello, tls, None).await;
        let mut line = line.map_err(|e| failed(Step::Greeting, e))?;
        if let Security::StartTls(parameters) = &self.security {
            if !line.can_starttls() {
                // Or somebody in between took the offer away.
                let why =
                    "the mail server offers no STARTTLS; smtps:// or, where nobody listens in, ?tls=none goes without";
                return Err(Error::config(why).undone().answered(true));
            }
            line.starttls(parameters.clone(), &hello).await.map_err(|e| failed(Step::Greeting, e))?;
        }
        if let Some((user, password)) = &self.login {
            let login = Credentials::new(user.expose().to_owned(), password.expose().to_owned());
            line.auth(&[Mechanism::Plain, Mechanism::Login], &login).await.map_err(|e| failed(Step::Login, e))?;
        }
        Ok(line)
    }
}

/// Step by step, so that it is known how far it came: until the message itself begins, nothing can have been sent.
async fn hand_over(line: &mut AsyncSmtpConnection, letter: &letter::Letter) -> Result<()> {
    let mut options = Vec::new();
    if letter.is_international() {
        if !line.server_info().supports_feature(Extension::SmtpUtfEight) {
            let why = "the mail server sends to no address with letters beyond ASCII (SMTPUTF8)";
            return Err(refused(ErrorKind::Unreachable, why.to_owned()));
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    let address = |address: &Address| address.clone();
    let sender = line.command(Mail::new(Some(address(&letter.from)), options)).await;
    sender.map_err(|e| failed(Step::Sender, e))?;
    let recipient = line.command(Rcpt::new(address(&letter.to), Vec::new())).await;
    recipient.map_err(|e| failed(Step::Recipient, e))?;
    line.command(Data).await.map_err(|e| failed(Step::Data, e))?;
    line.message(&letter.bytes).await.map_err(|e| failed(Step::Message, e))?;
    Ok(())
}

impl Wire for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn serves(&self, to: &Identifier) -> bool {
        matches!(to, Identifier::Email(_))
    }

    fn attempt<'a>(&'a self, message: &'a Message, key: &'a str) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(self.deliver(message, key))
    }
}

fn place_of(place: &str) -> Result<(String, Option<u16>)> {
    let (host, port) = match place.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((host, port))) => (host, port.strip_prefix(':')),
        Some(None) => return Err(malformed("its host has one bracket")),
        None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map(|port| port.parse().map_err(|_| malformed("its port is none"))).transpose()?;
    Ok((host.to_owned(), port))
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Trusts the public web's authorities as compiled in, or the one of the file alone.
fn parameters(host: &str, authority: Option<&str>) -> Result<TlsParameters> {
    let mut tls = TlsParameters::builder(host.to_owned());
    match authority {
        None => tls = tls.certificate_store(CertificateStore::WebpkiRoots),
        Some(path) => {
            let pem = std::fs::read(path);
            let pem = pem.map_err(|e| malformed("the file of ssl_ca_certs= cannot be read").with_source(e))?;
            let none = || malformed("the file of ssl_ca_certs= holds no certificate in PEM form");
            if !String::from_utf8_lossy(&pem).contains("BEGIN CERTIFICATE") {
                return Err(none());
            }
            let certificate = Certificate::from_pem(&pem).map_err(|_| none())?;
            tls = tls.certificate_store(CertificateStore::None).add_root_certificate(certificate);
        }
    }
    tls.build_rustls().map_err(|_| malformed("the file of ssl_ca_certs= holds no certificate of an authority"))
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Smtp(…)")
    }
}
