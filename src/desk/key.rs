//! RSA keys and certificates in PEM, as people paste them.

use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::KeyPair as _;
use jsonwebtoken::{DecodingKey, EncodingKey};

use super::tidy::Tidied;
use crate::domain::keys::der;

/// An RSA private key, ready to sign.
#[derive(Debug)]
pub struct PrivateKey {
    /// In the form in which it signs.
    pub signer: EncodingKey,
    pair: RsaKeyPair,
}

impl PrivateKey {
    /// Reads a key from PEM that [`private_pem`] has tidied.
    pub fn parse(pem: &str) -> Result<Self, String> {
        let unreadable = "is no RSA key that can be read; make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`";
        let signer = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| unreadable)?;
        let pair = RsaKeyPair::from_der(signer.as_bytes()).map_err(|rejected| {
            match rejected.description_() {
                "TooSmall" => "is shorter than 2048 bits; make a longer one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`",
                _ => unreadable,
            }
        })?;
        Ok(Self { signer, pair })
    }

    /// Whether a certificate is for this key. A certificate holds its public key as it is.
    pub fn is_certified_by(&self, certificate: &[u8]) -> bool {
        let public = self.pair.public_key().as_ref();
        certificate.windows(public.len()).any(|part| part == public)
    }

    /// Whether a public key in PEM is this key's other half.
    pub fn belongs_to(&self, public_pem: &str) -> bool {
        DecodingKey::from_rsa_pem(public_pem.as_bytes()).is_ok_and(|public| {
            public
                .try_get_as_bytes()
                .is_ok_and(|der| der == self.pair.public_key().as_ref())
        })
    }
}

/// Tidies a private key.
pub fn private_pem(given: &str) -> Result<Tidied, String> {
    let pem = Pem::find(given, "PRIVATE KEY")?;
    match pem.label {
        _ if given.contains("Proc-Type: 4,ENCRYPTED") => Err(ENCRYPTED.into()),
        "PRIVATE KEY" | "RSA PRIVATE KEY" => Ok(pem.tidied(given)),
        "ENCRYPTED PRIVATE KEY" => Err(ENCRYPTED.into()),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => Err("is a public key; paste the private one, which begins with -----BEGIN PRIVATE KEY-----".into()),
        "CERTIFICATE" => Err("is a certificate; paste the private key that it was made with, which begins with -----BEGIN PRIVATE KEY-----".into()),
        other => Err(format!("is of the kind `{other}`, and an RSA key is needed; make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`")),
    }
}

const ENCRYPTED: &str = "is protected by a passphrase; take it off with `openssl pkey -in private.pem -out plain.pem` and paste plain.pem";

/// Tidies a public key.
pub fn public_pem(given: &str) -> Result<Tidied, String> {
    let pem = Pem::find(given, "PUBLIC KEY")?;
    match pem.label {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => {
            let tidied = pem.tidied(given);
            DecodingKey::from_rsa_pem(tidied.value.as_bytes())
                .map_err(|_| "is no RSA key that can be read; make it from the private one with `openssl pkey -in private.pem -pubout`")?;
            Ok(tidied)
        }
        "CERTIFICATE" => Err("is a certificate; take the public key out of it with `openssl x509 -in cert.pem -noout -pubkey`".into()),
        private if private.ends_with("PRIVATE KEY") => Err("is a private key, which everybody who sees this connection could read; paste the public one, made with `openssl pkey -in private.pem -pubout`, and make a new pair if others could see this one".into()),
        other => Err(format!("is of the kind `{other}`; paste the RSA public key, made with `openssl pkey -in private.pem -pubout`")),
    }
}

/// Tidies a certificate.
pub fn certificate_pem(given: &str) -> Result<Tidied, String> {
    let pem = Pem::find(given, "CERTIFICATE")?;
    match pem.label {
        "CERTIFICATE" => {
            let tidied = pem.tidied(given);
            der(&tidied.value).ok_or("is no certificate that can be read; paste the file that you uploaded to the app registration")?;
            Ok(tidied)
        }
        private if private.ends_with("PRIVATE KEY") => Err("is a private key, which everybody who sees this connection could read; paste the certificate, which begins with -----BEGIN CERTIFICATE-----, and make a new pair if others could see this one".into()),
        other => Err(format!("is of the kind `{other}`; paste the certificate, which begins with -----BEGIN CERTIFICATE-----")),
    }
}

/// The one PEM block of a text.
struct Pem<'a> {
    label: &'a str,
    body: &'a str,
}

impl<'a> Pem<'a> {
    fn find(given: &'a str, wanted: &str) -> Result<Self, String> {
        let whole = format!(
            "paste the whole file, from -----BEGIN {wanted}----- to -----END {wanted}-----"
        );
        let Some((label, rest)) = given
            .split_once("-----BEGIN ")
            .and_then(|(_, rest)| rest.split_once("-----"))
            .filter(|(label, _)| is_label(label))
        else {
            return Err(format!("has no line -----BEGIN {wanted}-----; {whole}"));
        };
        let Some((body, _)) = rest.split_once(&format!("-----END {label}-----")) else {
            return Err(format!(
                "breaks off before the line -----END {label}-----; {whole}"
            ));
        };
        Ok(Self { label, body })
    }

    /// The block with its lines as they should be. Forms and environment variables swallow line breaks, or turn them
    /// into `\n` in two characters.
    fn tidied(&self, given: &str) -> Tidied {
        let body = self.body.replace("\\r", "").replace("\\n", "");
        let body: Vec<u8> = body
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        let lines: Vec<String> = body
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        let label = self.label;
        let pem = format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        );
        if pem.trim_end() == given.replace('\r', "").trim_end() {
            return Tidied::untouched(&pem);
        }
        Tidied::with_note(
            pem,
            "put the line breaks of the PEM back in their places".into(),
        )
    }
}

/// Where there is no label, there may be a piece of the key, which must not get into a message.
fn is_label(text: &str) -> bool {
    text.len() <= 30
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ')
}
