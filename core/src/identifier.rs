//! Phone numbers and email addresses in one spelling each.

mod plan;

use std::fmt;
use std::str::FromStr;

use email_address::EmailAddress;
use phonenumber::country;
use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, ErrorKind, Result};
use crate::text::fold;

pub(crate) use plan::warm_up;

/// No number or address is longer (RFC 5321 allows 254 octets); it bounds the work for hostile input.
const LONGEST: usize = 320;

/// What a code is sent to, normalised: however it was typed, one address is one identifier.
///
/// `Debug` shows it masked; [`Identifier::as_str`] is the whole address.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identifier {
    /// E.164, such as `+15551234567`.
    Phone(String),
    /// Lower case, Unicode NFC, the domain in its ASCII form.
    Email(String),
}

impl Identifier {
    /// Reads a phone number or, when there is an `@`, an email address. `region` (ISO 3166-1 alpha-2) is assumed for
    /// numbers written without a country code.
    ///
    /// # Errors
    /// `INVALID_PHONE` or `INVALID_EMAIL`.
    pub fn parse(typed: &str, region: Option<country::Id>) -> Result<Self> {
        if typed.contains(['@', '＠']) { email(typed) } else { phone(typed, region) }
    }

    /// The whole normalised address.
    pub fn as_str(&self) -> &str {
        match self {
            Identifier::Phone(text) | Identifier::Email(text) => text,
        }
    }

    /// Enough to recognise, too little to use: `+15*****4567`, `a***@e***.com`.
    pub fn masked(&self) -> String {
        match self {
            Identifier::Phone(number) => {
                let (head, tail) = (&number[..3], &number[number.len().saturating_sub(4).max(3)..]);
                format!("{head}{}{tail}", "*".repeat(number.len() - head.len() - tail.len()))
            }
            Identifier::Email(address) => {
                let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
                let (name, suffix) = domain.rsplit_once('.').unwrap_or((domain, ""));
                format!("{}***@{}***.{suffix}", first(local), first(name))
            }
        }
    }

    /// Takes back what [`Identifier::as_str`] gave.
    pub(crate) fn from_normalised(text: &str) -> Self {
        let text = text.to_owned();
        if text.contains('@') { Identifier::Email(text) } else { Identifier::Phone(text) }
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// Reads a region such as `IN`.
pub(crate) fn region(code: &str) -> Result<country::Id> {
    country::Id::from_str(&code.to_ascii_uppercase())
        .map_err(|_| Error::config("defaultRegion must be an ISO 3166-1 alpha-2 country code such as \"IN\" or \"US\""))
}

fn first(text: &str) -> String {
    text.chars().take(1).collect()
}

fn phone(typed: &str, region: Option<country::Id>) -> Result<Identifier> {
    let refuse = |why| Err(Error::new(ErrorKind::InvalidPhone, why));
    if typed.trim().is_empty() {
        return refuse("the phone number is empty");
    }
    if typed.len() > LONGEST || typed.chars().any(char::is_control) {
        return refuse("not a phone number");
    }
    if plan::is_canonical(typed) {
        return Ok(Identifier::Phone(typed.to_owned()));
    }
    let folded: String = typed.trim().chars().map(fold).collect();
    // The library dials letters as a keypad does: `98765abcde` would be somebody else's number.
    if folded.strip_prefix("tel:").unwrap_or(&folded).contains(char::is_alphabetic) {
        return refuse("a phone number has no letters");
    }
    let Ok(number) = phonenumber::parse(region, &folded) else {
        return refuse(match region {
            None => "not a phone number in international form, such as +15551234567 (or set defaultRegion)",
            Some(_) => "not a phone number",
        });
    };
    if number.extension().is_some() || !(number.is_valid() || is_fictional(&number)) {
        return refuse("no such phone number in its country's numbering plan");
    }
    // The same as the library's E.164 format, a third of a parse cheaper.
    Ok(Identifier::Phone(format!("+{}{}", number.code().value(), number.national())))
}

/// `+1 555 …`: no such area exists, and examples, tests and this project's own pages use it for that reason.
fn is_fictional(number: &phonenumber::PhoneNumber) -> bool {
    let national = number.national().to_string();
    number.code().value() == 1 && national.len() == 10 && national.starts_with("555")
}

fn email(typed: &str) -> Result<Identifier> {
    let refuse = || Error::new(ErrorKind::InvalidEmail, "not an email address");
    if typed.len() > LONGEST {
        return Err(refuse());
    }
    let text: String = typed.trim().nfc().map(|c| if c == '＠' { '@' } else { c }).collect();
    let (local, domain) = text.rsplit_once('@').ok_or_else(refuse)?;
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| refuse())?;
    let text = format!("{}@{domain}", local.to_lowercase());
    // Quoted local parts and address literals are legal, unused in practice and a way to smuggle spaces and brackets.
    let strange = text.contains(['"', '[', ' ']) || text.chars().any(char::is_control) || text.len() > 254;
    if strange || !domain.contains('.') || EmailAddress::from_str(&text).is_err() {
        return Err(refuse());
    }
    Ok(Identifier::Email(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &str, home: Option<&str>) -> Option<String> {
        let home = home.map(|h| region(h).expect("region"));
        Identifier::parse(typed, home).ok().map(|i| i.as_str().to_owned())
    }

    #[test]
    fn spellings_of_one_number_are_one_identifier() {
        for typed in ["+1 (415) 867-5309", "+14158675309", "＋１４１５８６７５３０９", "tel:+1-415-867-5309"]
        {
            assert_eq!(read(typed, None).as_deref(), Some("+14158675309"), "{typed}");
        }
        assert_eq!(read("+1 (555) 123-4567", None).as_deref(), Some("+15551234567"), "fictional, for examples");
        for typed in ["98765 43210", "098765 43210", "+91 98765 43210", "٩٨٧٦٥٤٣٢١٠"] {
            assert_eq!(read(typed, Some("IN")).as_deref(), Some("+919876543210"), "{typed}");
        }
    }

    #[test]
    fn numbering_plan_traps() {
        assert_eq!(read("+39 02 1234 5678", None).as_deref(), Some("+390212345678"), "Italy keeps its zero");
        for typed in ["+521 55 1234 5678", "9876543210", "+1555", "", " ", "+", "12\x003", "+1415867530x9", "🙂"] {
            assert_eq!(read(typed, None), None, "{typed:?}");
        }
        for typed in ["98765abcde", "+91 98765 abcde", "+1 415 TOP NOTE", "tel:+1415867abcd", "+1 415 867 5309 ext. 2"]
        {
            assert_eq!(read(typed, Some("IN")), None, "{typed:?}: letters are not dialled");
        }
    }

    #[test]
    fn spellings_of_one_address_are_one_identifier() {
        assert_eq!(read(" Ann@Example.COM ", None).as_deref(), Some("ann@example.com"));
        assert_eq!(read("ann@b\u{fc}cher.de", None), read("ann@bu\u{308}cher.de", None), "NFC");
        assert_eq!(read("ann@bücher.de", None).as_deref(), Some("ann@xn--bcher-kva.de"));
        assert_ne!(read("a.nn+x@gmail.com", None), read("ann@gmail.com", None), "not clever about providers");
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(400));
        for typed in
            ["@", "a@", "@b.c", "a b@c.de", "a@b", "a@b..c", "a@@b.c", "a\0@b.c", "a@[1.2.3.4]", "\"a b\"@c.de", &long]
        {
            let error = Identifier::parse(typed, None).expect_err(typed);
            assert_eq!(error.kind(), ErrorKind::InvalidEmail, "{typed:?}");
        }
    }

    #[test]
    fn debug_is_masked() {
        assert_eq!(format!("{:?}", Identifier::Phone("+14158675309".into())), "+14*****5309");
        assert_eq!(format!("{:?}", Identifier::Email("ann@example.com".into())), "a***@e***.com");
    }
}
