//! Whether Twilio signed a request. <https://www.twilio.com/docs/usage/security#validating-requests>

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use url::Url;

use crate::secret::Secret;

/// Twilio does not always keep the port of the URL that it was given: with and without are both tried, as its own
/// libraries do.
pub(super) fn matches(token: &Secret, url: &str, fields: &[(String, String)], signature: &str) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.expose().as_bytes());
    // Sorted, and the same field with the same value only once.
    let fields: BTreeSet<_> = fields.iter().collect();
    let fields: String = fields.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    forms(url).iter().any(|url| hmac::verify(&key, format!("{url}{fields}").as_bytes(), &signature).is_ok())
}

/// The URL as it is, without its port, and with the port that its scheme means.
fn forms(given: &str) -> Vec<String> {
    let mut forms = vec![given.to_owned()];
    let Ok(url) = Url::parse(given) else { return forms };
    let Some((scheme, rest)) = given.split_once("://") else { return forms };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    let digits = authority.len() - authority.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let bare = match authority[host_at..authority.len() - digits].strip_suffix(':') {
        Some(_) if digits > 0 => &authority[..authority.len() - digits - 1],
        _ => authority,
    };
    forms.push(format!("{scheme}://{bare}{path}"));
    if let Some(port) = url.port_or_known_default() {
        forms.push(format!("{scheme}://{bare}:{port}{path}"));
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [(&str, &str); 5] = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
        ("Caller", "+14158675309"),
    ];

    fn check(url: &str, signature: &str) -> bool {
        let fields = FIELDS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        matches(&Secret::from("12345"), url, &fields, signature)
    }

    #[test]
    fn the_vector_of_twilios_own_libraries_is_right() {
        let (url, signature) = ("https://mycompany.com/myapp.php?foo=1&bar=2", "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        assert!(check(url, signature));
        assert!(check(&url.replace(".com/", ".com:443/"), signature), "Twilio signed without the port");
        assert!(!check(&url.replace("bar=2", "bar=3"), signature));
        for wrong in ["", "RSOYDt4T1cUTdK1PDd93/VVr8B9=", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "🙂"] {
            assert!(!check(url, wrong), "{wrong}");
        }
    }

    #[test]
    fn no_url_is_too_strange() {
        for url in ["", "x", "https://", "https://a:b@h:1/x", "https://[::1]:8443/x?y#z", "https://h:99999/"] {
            assert!(!check(url, "RSOYDt4T1cUTdK1PDd93/VVr8B8="), "{url}");
        }
        assert!(forms("https://u:1@h/x").contains(&"https://u:1@h:443/x".to_owned()));
        assert!(forms("https://[::1]:8443/x").contains(&"https://[::1]/x".to_owned()));
    }
}
