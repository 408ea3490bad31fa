//! A message as an email. RFC 5322, RFC 2046

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox as LettreMailbox, MultiPart, SinglePart};
use lettre::{Address, Message as Email};

use super::super::Message;
use super::super::carrier::refused;
use super::super::mailbox::Mailbox;
use crate::error::{Error, ErrorKind, Result};

pub(super) struct Letter {
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) bytes: Vec<u8>,
}

impl Letter {
    /// Whether an address needs SMTPUTF8.
    pub(super) fn is_international(&self) -> bool {
        [&self.from, &self.to].iter().any(|address| !AsRef::<str>::as_ref(*address).is_ascii())
    }
}

/// `id` is what the email calls itself.
pub(super) fn write(message: &Message, from: &Mailbox, id: &str) -> Result<Letter> {
    let no_address = || refused(ErrorKind::InvalidEmail, "not an address that an email can be sent to".to_owned());
    let to: Address = message.to.as_str().parse().map_err(|_| no_address())?;
    let from_address: Address =
        from.address.parse().map_err(|_| Error::config("from is no address that an email can be from").undone())?;
    let email = Email::builder()
        .from(LettreMailbox::new(from.name.clone(), from_address.clone()))
        .to(LettreMailbox::new(None, to.clone()))
        .subject(message.subject.as_str())
        .message_id(Some(format!("<{id}>")))
        // So that nobody's absence is answered. RFC 3834
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    let text = message.text.expose().to_owned();
    let email = match &message.html {
        Some(html) => email.multipart(MultiPart::alternative_plain_html(text, html.expose().to_owned())),
        None => email.singlepart(SinglePart::plain(text)),
    };
    // lettre's error may hold what it could not write.
    let email =
        email.map_err(|_| Error::new(ErrorKind::Internal, "the email cannot be written").undone().answered(true))?;
    Ok(Letter { from: from_address, to, bytes: email.formatted() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identifier::Identifier;
    use crate::secret::Secret;

    fn letter(subject: &str, html: Option<&str>, to: &str) -> Result<String> {
        let message = Message {
            to: Identifier::from_normalised(to),
            purpose: "login".into(),
            code: Secret::from("123456"),
            link: None,
            subject: subject.into(),
            text: Secret::from("123456 is your Äcme code."),
            html: html.map(Secret::from),
            id: "c".into(),
            locale: None,
            expires_in: Duration::from_secs(600),
        };
        let from = Mailbox::parse("Äcme <no-reply@acme.example>")?;
        write(&message, &from, "k@acme.example").map(|letter| String::from_utf8(letter.bytes).expect("ASCII"))
    }

    #[test]
    fn text_comes_first_and_html_beside_it() {
        let both = letter("Your code", Some("<p>123456</p>"), "ann@example.com").expect("a letter");
        let at = |part: &str| both.find(part).unwrap_or_else(|| panic!("{part}: {both}"));
        assert!(at("multipart/alternative") < at("text/plain") && at("text/plain") < at("text/html"), "{both}");
        for header in
            ["Message-ID: <k@acme.example>", "To: ann@example.com", "Auto-Submitted: auto-generated", "Date: "]
        {
            at(header);
        }
        let plain = letter("Your code", None, "ann@example.com").expect("a letter");
        assert!(plain.is_ascii() && plain.contains("text/plain") && !plain.contains("text/html"), "{plain}");
    }

    #[test]
    fn nothing_in_a_subject_becomes_a_header() {
        for subject in ["a\r\nBcc: eve@example.com", "a\nBcc: eve@example.com", "a\rBcc: eve@example.com"] {
            let text = letter(subject, None, "ann@example.com").expect("a letter");
            assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        let error = letter("s", None, "eve@x> NOTIFY=NEVER").expect_err("no address");
        assert_eq!(error.kind(), ErrorKind::InvalidEmail);
        assert!(!format!("{error:?}").contains("eve"), "{error:?}");
    }
}
