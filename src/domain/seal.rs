//! Secrets at rest: sealed under the master key, bound to the row they belong to.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub use secrecy::{ExposeSecret, SecretString};

/// Marks the format of a sealed value, so that a later one can be told apart.
const FORMAT: u8 = 1;

/// The key under which everything secret is stored.
#[derive(Debug)]
pub struct MasterKey {
    key: RandomizedNonceKey,
    derivation: Prk,
}

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The configured key is not 32 bytes of base64.
    #[error("the master key must be 32 bytes in base64; `baton keygen` makes one")]
    BadKey,
    /// The value was sealed under another key, for another row, or was changed.
    #[error(
        "cannot open what is sealed for {about}: the master key is another one, or the value was changed; give the key it was sealed under"
    )]
    CannotOpen {
        /// What the value belongs to.
        about: String,
    },
}

impl MasterKey {
    /// A new random key in the form that the configuration takes.
    pub fn generate() -> String {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system has a source of random bytes");
        STANDARD.encode(bytes)
    }

    /// The key written as 32 bytes of base64.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let bytes = STANDARD
            .decode(text.trim())
            .map_err(|_| SealError::BadKey)?;
        let key =
            RandomizedNonceKey::new(&AES_256_GCM_SIV, &bytes).map_err(|_| SealError::BadKey)?;
        let derivation = Salt::new(HKDF_SHA256, &[]).extract(&bytes);
        Ok(Self { key, derivation })
    }

    /// A key for another purpose than sealing; the same label always gives the same key, and none tells another.
    pub fn derive(&self, label: &str) -> [u8; 32] {
        let mut key = [0; 32];
        self.derivation
            .expand(&[label.as_bytes()], HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut key))
            .expect("HKDF gives up to 8,160 bytes");
        key
    }

    /// Seals `plain` for `about` (a table and a row): it opens nowhere else.
    pub fn seal(&self, plain: &str, about: &str) -> Vec<u8> {
        let mut sealed = plain.as_bytes().to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(about), &mut sealed)
            .expect("sealing fails only for values larger than memory");
        [&[FORMAT], nonce.as_ref().as_slice(), &sealed].concat()
    }

    /// Opens what [`MasterKey::seal`] sealed for the same `about`.
    pub fn open(&self, sealed: &[u8], about: &str) -> Result<SecretString, SealError> {
        let cannot = || SealError::CannotOpen {
            about: about.to_owned(),
        };
        let (format, rest) = sealed.split_first().ok_or_else(cannot)?;
        if *format != FORMAT || rest.len() < NONCE_LEN {
            return Err(cannot());
        }
        let (nonce, body) = rest.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| cannot())?;
        let mut body = body.to_vec();
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(about), &mut body)
            .map_err(|_| cannot())?;
        let text = std::str::from_utf8(plain).map_err(|_| cannot())?;
        Ok(SecretString::from(text))
    }
}
