//! What a mail server's no means. RFC 5321 4.2, RFC 3463

use lettre::transport::smtp::Error as SmtpError;

use super::super::carrier::refused;
use crate::error::{Error, ErrorKind};
use crate::tls::is_untrusted;

/// How far the conversation had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Greeting,
    Login,
    Sender,
    Recipient,
    Data,
    Message,
}

/// The server's own words may repeat the address: none of them is kept.
pub(super) fn failed(step: Step, error: SmtpError) -> Error {
    if let Some(code) = error.status() {
        let words = std::error::Error::source(&error).map_or(String::new(), ToString::to_string);
        return refusal(step, code.into(), enhanced(&words));
    }
    if is_untrusted(&error) {
        let why = "the certificate of the mail server is not trusted, or is for another name: name its authority's file by \
                   ?ssl_ca_certs=, and the server as its certificate does";
        return Error::config(why).with_source(error).undone().answered(true);
    }
    if error.is_client() {
        return refused(ErrorKind::Config, "the mail server knows neither PLAIN nor LOGIN to log in with".to_owned());
    }
    let why = match step {
        Step::Message => "the mail server got the message, and its answer was lost",
        Step::Greeting => "the mail server cannot be reached, or is none",
        _ => "the mail server ended the conversation before the message",
    };
    let says_words = error.is_response();
    let plain = Error::new(ErrorKind::DeliveryFailed, why);
    let plain = if says_words { plain } else { plain.with_source(error) };
    if step == Step::Message { plain } else { plain.undone() }
}

/// Whatever number it is: the message was not taken.
fn refusal(step: Step, code: u16, enhanced: Option<(u16, u16)>) -> Error {
    let refused = |kind, why: &str| refused(kind, format!("the mail server {why} (SMTP {code})"));
    let later = |kind, why: &str| Error::new(kind, format!("the mail server {why} (SMTP {code})")).undone();
    match (step, code) {
        (_, 421) | (Step::Greeting | Step::Login, 400..=499) => later(ErrorKind::DeliveryFailed, "cannot send now"),
        // Greylisting, a busy mailbox, too many messages: no outage, others are taken.
        (_, 400..=499) => later(ErrorKind::DeliveryLimited, "does not take the message now"),
        (_, 530 | 534 | 535 | 538) | (Step::Login, _) => refused(ErrorKind::Config, "refused the credentials"),
        (Step::Greeting, _) => refused(ErrorKind::DeliveryFailed, "does not talk to us"),
        (Step::Sender, 552) => refused(ErrorKind::DeliveryFailed, "refused the message"),
        (Step::Sender, _) => refused(ErrorKind::Config, "does not let the address of from= send"),
        (Step::Recipient, 501 | 553) => refused(ErrorKind::InvalidEmail, "does not take the address for one"),
        (Step::Recipient, _) => match enhanced {
            Some((1, 3)) => refused(ErrorKind::InvalidEmail, "does not take the address for one"),
            // Of relaying and the like: another server may well do it.
            Some((7, _)) => refused(ErrorKind::DeliveryFailed, "may not send to that address"),
            _ => refused(ErrorKind::Unreachable, "knows nobody of that address, or no mail can be left there"),
        },
        (Step::Data | Step::Message, _) => match enhanced {
            Some((2, _)) => refused(ErrorKind::Unreachable, "says that no mail can be left at that address"),
            _ => refused(ErrorKind::DeliveryFailed, "refused the message"),
        },
    }
}

/// Subject and detail of a text such as `5.1.1 …`.
fn enhanced(words: &str) -> Option<(u16, u16)> {
    let mut numbers = words.split_whitespace().next()?.split('.');
    let class: u16 = numbers.next()?.parse().ok()?;
    let (subject, detail) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    (matches!(class, 2 | 4 | 5) && numbers.next().is_none()).then_some((subject, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enhanced_code_is_three_numbers() {
        assert_eq!(enhanced("5.1.1 no such user"), Some((1, 1)));
        assert_eq!(enhanced("4.7.1\nlater"), Some((7, 1)));
        for none in ["", "no such user", "5.1", "5.1.1.1 x", "192.0.2.1", "9.1.1", "5.x.1"] {
            assert_eq!(enhanced(none), None, "{none}");
        }
    }

    #[test]
    fn every_no_says_that_nothing_was_sent() {
        for step in [Step::Greeting, Step::Login, Step::Sender, Step::Recipient, Step::Data, Step::Message] {
            for code in [400, 421, 450, 451, 452, 454, 500, 501, 530, 535, 550, 552, 553, 554, 571] {
                let error = refusal(step, code, None);
                assert!(error.is_undone(), "{step:?} {code}");
                assert_eq!(error.is_answered(), code >= 500, "{step:?} {code}: only what is for now is tried again");
            }
        }
    }
}
