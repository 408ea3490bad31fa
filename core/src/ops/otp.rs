//! HOTP (RFC 4226) and TOTP (RFC 6238), pure.

use std::ops::RangeInclusive;

use ring::hmac;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::random::Random;
use crate::secret::Secret;

/// The hash that codes are made with. Many authenticator apps know SHA-1 only, which is sound in an HMAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtpAlgorithm {
    /// The default.
    #[default]
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// What a secret is enrolled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtpSettings {
    /// SHA-1 by default.
    pub algorithm: OtpAlgorithm,
    /// 6 (the default) to 8.
    pub digits: u8,
    /// Seconds that a code by time lasts, 10 to 300 and 30 by default.
    pub period_seconds: u32,
}

impl Default for OtpSettings {
    fn default() -> Self {
        Self { algorithm: OtpAlgorithm::Sha1, digits: 6, period_seconds: 30 }
    }
}

impl OtpAlgorithm {
    /// From `SHA1`, `SHA256` or `SHA512`, as URIs have it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "SHA1" => Ok(Self::Sha1),
            "SHA256" => Ok(Self::Sha256),
            "SHA512" => Ok(Self::Sha512),
            _ => Err(Error::argument("algorithm must be SHA1, SHA256 or SHA512")),
        }
    }

    /// `SHA1` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    /// As long as the hash, which the RFC recommends.
    const fn secret_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl OtpSettings {
    pub(super) fn checked(self) -> Result<Self> {
        if !(6..=8).contains(&self.digits) {
            return Err(Error::argument("digits must be 6, 7 or 8"));
        }
        match (10..=300).contains(&self.period_seconds) {
            true => Ok(self),
            false => Err(Error::argument("period must be 10 to 300 seconds")),
        }
    }

    /// The time step of a moment.
    pub(super) fn step(self, at_ms: u64) -> u64 {
        at_ms / 1000 / u64::from(self.period_seconds.max(1))
    }

    pub(super) fn generate(self, random: &dyn Random) -> Result<Secret> {
        let mut bytes = Zeroizing::new(vec![0; self.checked()?.algorithm.secret_bytes()]);
        random.fill(&mut bytes)?;
        Ok(Secret::from(encode(&bytes)))
    }

    /// `otpauth://totp/Issuer:account?secret=…`, as authenticator apps read it. What is the default is left out.
    pub(super) fn uri(self, secret: &Secret, issuer: &str, account: &str) -> Result<Secret> {
        self.checked()?;
        let secret = encode(&decode(secret)?);
        let plain =
            |text: &str| (1..=256).contains(&text.len()) && !text.contains(':') && !text.contains(char::is_control);
        if !plain(issuer) || !plain(account) {
            return Err(Error::argument("issuer and account must be 1 to 256 bytes without colons"));
        }
        // Apps show a plus as a plus.
        let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
        let (issuer, account) = (escaped(issuer), escaped(account));
        let mut uri = format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}");
        if self.algorithm != OtpAlgorithm::Sha1 {
            uri += &format!("&algorithm={}", self.algorithm.name());
        }
        if self.digits != 6 {
            uri += &format!("&digits={}", self.digits);
        }
        if self.period_seconds != 30 {
            uri += &format!("&period={}", self.period_seconds);
        }
        Ok(Secret::from(uri))
    }
}

/// The code of a counter.
pub(super) fn code(secret: &Secret, counter: u64, settings: OtpSettings) -> Result<Secret> {
    Ok(of(&key(secret, settings)?, counter, settings))
}

/// The counters of a range whose code it is.
pub(super) fn check_code(
    secret: &Secret,
    typed: &Secret,
    counters: RangeInclusive<u64>,
    settings: OtpSettings,
) -> Result<Vec<u64>> {
    let key = key(secret, settings)?;
    let is_it = |counter: &u64| {
        let right = of(&key, *counter, settings);
        // All of it is compared whatever differs.
        let pairs = right.expose().bytes().zip(typed.expose().bytes());
        right.expose().len() == typed.expose().len() && pairs.fold(0, |different, (a, b)| different | (a ^ b)) == 0
    };
    Ok(counters.filter(is_it).collect())
}

fn key(secret: &Secret, settings: OtpSettings) -> Result<hmac::Key> {
    Ok(hmac::Key::new(settings.algorithm.hmac(), &decode(secret)?))
}

fn of(key: &hmac::Key, counter: u64, settings: OtpSettings) -> Secret {
    let mac = hmac::sign(key, &counter.to_be_bytes());
    let mac = mac.as_ref();
    let offset = usize::from(mac.last().copied().unwrap_or_default() & 15);
    let four = mac.iter().skip(offset).take(4).fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    let digits = usize::from(settings.digits);
    Secret::from(format!("{:0digits$}", (four & 0x7fff_ffff) % 10u32.pow(settings.digits.into())))
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn encode(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut held) = (String::new(), 0u32, 0u32);
    for byte in bytes {
        (held, bits) = (held << 8 | u32::from(*byte), bits + 8);
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

/// Base32 as people copy it: in any case, with spaces or dashes, with padding or without.
fn decode(secret: &Secret) -> Result<Zeroizing<Vec<u8>>> {
    let wrong = || Error::argument("the secret must be base32 of 10 to 128 bytes");
    let (mut bytes, mut bits, mut held) = (Zeroizing::new(Vec::new()), 0u32, 0u32);
    for c in secret.expose().trim_end_matches('=').bytes().filter(|b| !b" -".contains(b)) {
        let value = ALPHABET.iter().position(|known| *known == c.to_ascii_uppercase()).ok_or_else(wrong)?;
        (held, bits) = (held << 5 | value as u32, bits + 5);
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
        if bytes.len() > 128 {
            return Err(wrong());
        }
    }
    if bytes.len() < 10 { Err(wrong()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(algorithm: OtpAlgorithm, digits: u8) -> OtpSettings {
        OtpSettings { algorithm, digits, period_seconds: 30 }
    }

    /// The RFCs' secrets: the digits, repeated to the length of the hash.
    fn secret(bytes: usize) -> Secret {
        Secret::from(encode(&b"1234567890".iter().copied().cycle().take(bytes).collect::<Vec<_>>()))
    }

    #[test]
    fn rfc_4226_appendix_d() {
        let codes =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, expected) in codes.iter().enumerate() {
            let code = code(&secret(20), counter as u64, settings(OtpAlgorithm::Sha1, 6)).expect("a code");
            assert_eq!(code.expose(), *expected);
        }
    }

    #[test]
    fn rfc_6238_appendix_b() {
        let vectors = [
            (59, ["94287082", "46119246", "90693936"]),
            (1_111_111_109, ["07081804", "68084774", "25091201"]),
            (1_111_111_111, ["14050471", "67062674", "99943326"]),
            (1_234_567_890, ["89005924", "91819424", "93441116"]),
            (2_000_000_000, ["69279037", "90698825", "38618901"]),
            (20_000_000_000u64, ["65353130", "77737706", "47863826"]),
        ];
        for (seconds, codes) in vectors {
            let algorithms = [OtpAlgorithm::Sha1, OtpAlgorithm::Sha256, OtpAlgorithm::Sha512];
            for (algorithm, expected) in algorithms.into_iter().zip(codes) {
                let settings = settings(algorithm, 8);
                let secret = secret(algorithm.secret_bytes());
                let code = code(&secret, settings.step(seconds * 1000), settings).expect("a code");
                assert_eq!(code.expose(), expected, "{algorithm:?} at {seconds}");
            }
        }
    }

    #[test]
    fn base32_is_read_as_people_copy_it() {
        for length in 10..=70 {
            let bytes: Vec<u8> = (0..length).map(|n| (n * 37 + 11) as u8).collect();
            let text = encode(&bytes);
            let spaced = text.to_lowercase().replace('a', " a-") + "===";
            assert_eq!(*decode(&Secret::from(text)).expect("read"), bytes);
            assert_eq!(*decode(&Secret::from(spaced)).expect("read"), bytes);
        }
        assert_eq!(encode(b"Hello!\xde\xad\xbe\xef"), "JBSWY3DPEHPK3PXP");
        for bad in ["", "JBSWY3DPEHPK3PX0", "1", "JBSWY3DPEHPK3PX", "é", &"A".repeat(1000)] {
            assert!(decode(&Secret::from(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_uri_says_what_is_not_the_default() {
        let secret = Secret::from("jbsw y3dp ehpk 3pxp");
        let uri = |settings: OtpSettings| settings.uri(&secret, "Acme & Co", "ann+1@example.com").expect("a uri");
        let plain =
            "otpauth://totp/Acme%20%26%20Co:ann%2B1%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Acme%20%26%20Co";
        assert_eq!(uri(OtpSettings::default()).expose(), plain);
        let all = OtpSettings { algorithm: OtpAlgorithm::Sha256, digits: 8, period_seconds: 60 };
        assert_eq!(uri(all).expose(), format!("{plain}&algorithm=SHA256&digits=8&period=60"));
        for (issuer, account) in [("", "a"), ("a", ""), ("a:b", "c"), ("a", "b:c"), ("a\n", "b")] {
            assert!(OtpSettings::default().uri(&secret, issuer, account).is_err());
        }
    }
}
