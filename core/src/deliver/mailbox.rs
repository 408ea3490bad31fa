//! Whom emails are from: `no-reply@example.com` or `Acme <no-reply@example.com>`.

use crate::error::{Error, Result};
use crate::identifier::Identifier;

#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) name: Option<String>,
    pub(super) address: String,
}

impl Mailbox {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::config("from must be an email address, or a name and <an email address>");
        let (name, address) = match text.trim().strip_suffix('>') {
            Some(text) => text.rsplit_once('<').ok_or_else(wrong)?,
            None => ("", text),
        };
        let name = name.trim().trim_matches('"').trim();
        if name.chars().any(char::is_control) {
            return Err(wrong());
        }
        match Identifier::parse(address.trim(), None) {
            Ok(Identifier::Email(address)) => {
                Ok(Self { name: Some(name.to_owned()).filter(|name| !name.is_empty()), address })
            }
            _ => Err(wrong()),
        }
    }

    /// What stands behind the `@`.
    #[cfg(feature = "smtp")]
    pub(super) fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_stand_before_the_address() {
        for (text, name) in [
            ("no-reply@example.com", None),
            (" <no-reply@example.com> ", None),
            ("Acme <no-reply@example.com>", Some("Acme")),
            ("\"Acme, Inc.\" <no-reply@example.com>", Some("Acme, Inc.")),
            ("Ünder <a> Böss <no-reply@example.com>", Some("Ünder <a> Böss")),
        ] {
            let mailbox = Mailbox::parse(text).expect(text);
            assert_eq!((mailbox.name.as_deref(), mailbox.address.as_str()), (name, "no-reply@example.com"), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for bad in ["", "hunter2", "a@b <hunter2>", "hunter2 a@b>", "<hunter2", "+15551234567", "a\nb <a@example.com>"]
        {
            let error = Mailbox::parse(bad).expect_err(bad);
            assert_eq!(error.code(), "CONFIG", "{bad}");
            assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
        }
    }
}
