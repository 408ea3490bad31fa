//! One key: its algorithm is fixed when it is read and never a token's to choose.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaPublicKeyComponents};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::der::{self, Public};
use crate::error::{Error, ErrorKind, Result};

/// A key that verifies, and signs where its private half is here.
pub(crate) struct Key {
    pub(super) kid: Option<String>,
    /// The header of the tokens it signs, encoded.
    pub(super) header: String,
    material: Material,
}

enum Material {
    Hmac(hmac::Key),
    P256 { pair: Option<EcdsaKeyPair>, public: Vec<u8> },
    Ed25519 { pair: Option<Ed25519KeyPair>, public: Vec<u8> },
    Rsa { pair: Option<Box<rsa::KeyPair>>, n: Vec<u8>, e: Vec<u8> },
}

/// RFC 7518, 3.2: as long as the hash.
const SHORTEST_SECRET: usize = 32;

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, kid {:?})", self.algorithm(), self.kid)
    }
}

impl Key {
    /// HS256 with a shared secret.
    pub(crate) fn from_secret(secret: &[u8], kid: Option<String>) -> Result<Self> {
        if secret.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err(Error::config("a PEM key goes into `pem`; as an HS256 secret it would be known to everybody"));
        }
        if secret.len() < SHORTEST_SECRET {
            return Err(Error::config(
                "an HS256 secret must be at least 32 bytes; make one with: openssl rand -base64 32",
            ));
        }
        Ok(Self::new(Material::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret)), kid))
    }

    /// ES256, EdDSA or RS256 from PKCS #8, PKCS #1 or a public key.
    pub(crate) fn from_pem(text: &str, kid: Option<String>) -> Result<Self> {
        let (label, der) = der::pem(text).ok_or_else(|| Error::config("pem is malformed: not a PEM block"))?;
        let unusable = || {
            Error::config(
                "pem must hold a P-256, Ed25519 or RSA (2048 bits or more) key that is well-formed and not encrypted",
            )
        };
        let material = match label {
            "PRIVATE KEY" => private(&der),
            "RSA PRIVATE KEY" => rsa::KeyPair::from_der(&der).ok().map(Material::rsa),
            "PUBLIC KEY" => der::public_key(&der).and_then(Material::public),
            "RSA PUBLIC KEY" => der::rsa_public_key(&der).and_then(Material::public),
            "EC PRIVATE KEY" => {
                return Err(Error::config("pem: convert an EC PRIVATE KEY with: openssl pkcs8 -topk8 -nocrypt"));
            }
            _ => None,
        };
        Ok(Self::new(material.ok_or_else(unusable)?, kid))
    }

    /// Any of the four from a JSON Web Key (RFC 7517), private or public.
    pub(crate) fn from_jwk(jwk: &Map<String, Value>, kid: Option<String>) -> Result<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).map(Zeroizing::new);
        let kid = kid.or_else(|| text("kid").map(str::to_owned));
        let material = match (text("kty"), text("crv")) {
            (Some("oct"), _) => {
                let secret = bytes("k").ok_or_else(|| Error::config("jwk: `k` must be base64url"))?;
                return Self::from_secret(&secret, kid);
            }
            (Some("EC"), Some("P-256")) => p256(bytes("x"), bytes("y"), bytes("d")),
            (Some("OKP"), Some("Ed25519")) => ed25519(bytes("x"), bytes("d")),
            (Some("RSA"), _) if jwk.contains_key("d") => {
                let part = |name| bytes(name).map(|bytes| bytes.to_vec());
                rsa_pair([part("n"), part("e"), part("d"), part("p"), part("q"), part("dp"), part("dq"), part("qi")])
            }
            (Some("RSA"), _) => {
                let part = |name| bytes(name).map(|bytes| bytes.to_vec());
                part("n").zip(part("e")).and_then(|(n, e)| Material::public(Public::Rsa { n, e }))
            }
            _ => None,
        };
        let key = material.map(|material| Self::new(material, kid));
        let key =
            key.ok_or_else(|| Error::config("jwk must be a well-formed oct, EC P-256, OKP Ed25519 or RSA key"))?;
        match text("alg").is_none_or(|alg| alg == key.algorithm()) {
            true => Ok(key),
            false => Err(Error::config(format!("jwk: this key's algorithm is {}", key.algorithm()))),
        }
    }

    /// The only algorithm it is used with.
    pub(crate) fn algorithm(&self) -> &'static str {
        self.material.algorithm()
    }

    /// Its name in tokens.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn can_sign(&self) -> bool {
        !matches!(
            self.material,
            Material::P256 { pair: None, .. } | Material::Ed25519 { pair: None, .. } | Material::Rsa { pair: None, .. }
        )
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        let failed = |_| Error::new(ErrorKind::Internal, "could not sign a token");
        match &self.material {
            Material::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Material::P256 { pair: Some(pair), .. } => {
                pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(failed)
            }
            Material::Ed25519 { pair: Some(pair), .. } => Ok(pair.sign(message).as_ref().to_vec()),
            Material::Rsa { pair: Some(pair), .. } => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            _ => Err(Error::config("a public key can't sign")),
        }
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Hmac(key) => hmac::verify(key, message, signature),
            Material::P256 { public, .. } => {
                signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, public)
                    .verify(message, signature)
            }
            Material::Ed25519 { public, .. } => {
                signature::UnparsedPublicKey::new(&signature::ED25519, public).verify(message, signature)
            }
            Material::Rsa { n, e, .. } => {
                RsaPublicKeyComponents { n, e }.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.is_ok()
    }

    /// The public half as a JWK; a shared secret has none.
    pub(super) fn jwk(&self) -> Option<Value> {
        let mut jwk = self.material.public_jwk()?;
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm());
        jwk["kid"] = json!(self.kid);
        Some(jwk)
    }

    /// A public key without a `kid` is named by its thumbprint (RFC 7638); naming a secret would say something about it.
    fn new(material: Material, kid: Option<String>) -> Self {
        let kid = kid.or_else(|| {
            // Its members are sorted by name, as a thumbprint wants them.
            let jwk = material.public_jwk()?.to_string();
            Some(URL_SAFE_NO_PAD.encode(digest(&SHA256, jwk.as_bytes())))
        });
        let alg = material.algorithm();
        let header = match &kid {
            Some(kid) => format!(r#"{{"alg":"{alg}","typ":"JWT","kid":{}}}"#, json!(kid)),
            None => format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#),
        };
        Self { kid, header: URL_SAFE_NO_PAD.encode(header), material }
    }
}

impl Material {
    fn algorithm(&self) -> &'static str {
        match self {
            Material::Hmac(_) => "HS256",
            Material::P256 { .. } => "ES256",
            Material::Ed25519 { .. } => "EdDSA",
            Material::Rsa { .. } => "RS256",
        }
    }

    fn public(public: Public) -> Option<Self> {
        match public {
            Public::P256(public) => (public.len() == 65 && public[0] == 4).then_some(Self::P256 { pair: None, public }),
            Public::Ed25519(public) => (public.len() == 32).then_some(Self::Ed25519 { pair: None, public }),
            // 2048 to 8192 bits, as ring verifies them.
            Public::Rsa { n, e } => {
                ((256..=1024).contains(&n.len()) && !e.is_empty()).then_some(Self::Rsa { pair: None, n, e })
            }
        }
    }

    fn rsa(pair: rsa::KeyPair) -> Self {
        let rsa::PublicKeyComponents { n, e } = rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
        Self::Rsa { pair: Some(Box::new(pair)), n, e }
    }

    /// Only the members that make the key.
    fn public_jwk(&self) -> Option<Value> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Material::Hmac(_) => None,
            Material::P256 { public, .. } => {
                let (x, y) = public[1..].split_at(32);
                Some(json!({ "crv": "P-256", "kty": "EC", "x": text(x), "y": text(y) }))
            }
            Material::Ed25519 { public, .. } => Some(json!({ "crv": "Ed25519", "kty": "OKP", "x": text(public) })),
            Material::Rsa { n, e, .. } => Some(json!({ "e": text(e), "kty": "RSA", "n": text(n) })),
        }
    }
}

/// PKCS #8 says itself which of the three it is.
fn private(der: &[u8]) -> Option<Material> {
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
        let public = pair.public_key().as_ref().to_vec();
        return Some(Material::Ed25519 { pair: Some(pair), public });
    }
    if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new()) {
        let public = pair.public_key().as_ref().to_vec();
        return Some(Material::P256 { pair: Some(pair), public });
    }
    rsa::KeyPair::from_pkcs8(der).ok().map(Material::rsa)
}

type Bytes = Option<Zeroizing<Vec<u8>>>;

fn p256(x: Bytes, y: Bytes, d: Bytes) -> Option<Material> {
    let public = [&[4][..], &x?, &y?].concat();
    let Some(d) = d else { return Material::public(Public::P256(public)) };
    let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &d, &public, &SystemRandom::new()).ok()?;
    Some(Material::P256 { pair: Some(pair), public })
}

fn ed25519(x: Bytes, d: Bytes) -> Option<Material> {
    let public = x?.to_vec();
    let Some(d) = d else { return Material::public(Public::Ed25519(public)) };
    let pair = Ed25519KeyPair::from_seed_and_public_key(&d, &public).ok()?;
    Some(Material::Ed25519 { pair: Some(pair), public })
}

fn rsa_pair(parts: [Option<Vec<u8>>; 8]) -> Option<Material> {
    let [n, e, d, p, q, dp, dq, qinv] = parts;
    let components = rsa::KeyPairComponents {
        public_key: rsa::PublicKeyComponents { n: n?, e: e? },
        d: d?,
        p: p?,
        q: q?,
        dP: dp?,
        dQ: dq?,
        qInv: qinv?,
    };
    rsa::KeyPair::from_components(&components).ok().map(Material::rsa)
}
