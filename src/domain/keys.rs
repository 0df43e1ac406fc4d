//! New keys, as the desks that want RSA take them.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::certificate::Certificate;
use super::clock::Timestamp;
use super::seal::{ExposeSecret, SecretString};

/// Columns of a line of PEM (RFC 7468).
const COLUMNS: usize = 64;

/// An RSA key pair of 2048 bits in PEM.
#[derive(Debug)]
pub struct RsaPair {
    /// PKCS #8; signs identity tokens.
    pub private_pem: SecretString,
    /// SubjectPublicKeyInfo; checks them.
    pub public_pem: String,
}

impl RsaPair {
    /// A new random pair. Takes a tenth of a second or several.
    pub fn generate() -> Self {
        let (private, public) = generate().expect("the system has memory and random bytes");
        Self {
            private_pem: pem("PRIVATE KEY", private.as_ref()).into(),
            public_pem: pem("PUBLIC KEY", public.as_ref()),
        }
    }

    /// A certificate that the pair gives itself; `None` if the two are no pair in this form.
    pub fn certificate(&self, from: Timestamp, until: Timestamp) -> Option<Certificate> {
        let private = der(self.private_pem.expose_secret())?;
        Certificate::self_signed(&private, &der(&self.public_pem)?, from, until).ok()
    }
}

/// The bytes inside a PEM with one block.
pub fn der(pem: &str) -> Option<Vec<u8>> {
    let lines: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    STANDARD.decode(lines).ok().filter(|der| !der.is_empty())
}

fn generate() -> Result<(Pkcs8V1Der<'static>, PublicKeyX509Der<'static>), Unspecified> {
    let pair = KeyPair::generate(KeySize::Rsa2048)?;
    Ok((pair.as_der()?, pair.public_key().as_der()?))
}

/// Bytes as PEM.
pub fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (at, letter) in body.char_indices() {
        if at > 0 && at % COLUMNS == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}
