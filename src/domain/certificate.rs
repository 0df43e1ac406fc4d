//! X.509 certificates as far as desks want them: a self-signed one is made for a key, any is read for key and dates.

use std::time::Duration;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use jiff::Timestamp;
use x509_cert::TbsCertificate;
use x509_cert::certificate::{CertificateInner, Version};
use x509_cert::der::asn1::{Any, BitString, GeneralizedTime, ObjectIdentifier, UtcTime};
use x509_cert::der::{Decode, Encode};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

/// `sha256WithRSAEncryption` (RFC 4055).
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
/// From 2050 on dates are written otherwise (RFC 5280, 4.1.2.5).
const UTC_TIME_ENDS: i64 = 2_524_608_000;

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate itself, in DER.
    pub der: Vec<u8>,
    /// The key it is for: SubjectPublicKeyInfo in DER.
    pub public_key: Vec<u8>,
    /// Nobody takes it before.
    pub from: Timestamp,
    /// Nobody takes it after.
    pub until: Timestamp,
}

impl Certificate {
    /// Reads a certificate in DER; `None` if it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate: CertificateInner = CertificateInner::from_der(der).ok()?;
        let inside = certificate.tbs_certificate;
        let date = |time: Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
            Timestamp::from_second(seconds).ok()
        };
        Some(Self {
            der: der.to_vec(),
            public_key: inside.subject_public_key_info.to_der().ok()?,
            from: date(inside.validity.not_before)?,
            until: date(inside.validity.not_after)?,
        })
    }

    /// A certificate that an RSA key gives itself; the private key is PKCS #8, the public one SubjectPublicKeyInfo,
    /// both in DER.
    pub fn self_signed(
        private_key: &[u8],
        public_key: &[u8],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Self, Unspecified> {
        let der = build(private_key, public_key, from, until).map_err(|_| Unspecified)?;
        Self::read(&der).ok_or(Unspecified)
    }
}

/// Whatever went wrong, the key is none.
struct Unfit;

impl From<x509_cert::der::Error> for Unfit {
    fn from(_: x509_cert::der::Error) -> Self {
        Self
    }
}

fn build(
    private_key: &[u8],
    public_key: &[u8],
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<u8>, Unfit> {
    let pair = RsaKeyPair::from_pkcs8(private_key).map_err(|_| Unfit)?;
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| Unfit)?;
    let algorithm = AlgorithmIdentifierOwned {
        oid: SHA256_WITH_RSA,
        parameters: Some(Any::null()),
    };
    let name: Name = "CN=Baton".parse()?;
    let tbs_certificate = TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::new(&serial)?,
        signature: algorithm.clone(),
        issuer: name.clone(),
        validity: Validity {
            not_before: date(from)?,
            not_after: date(until)?,
        },
        subject: name,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(public_key)?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: None,
    };
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        &tbs_certificate.to_der()?,
        &mut signature,
    )
    .map_err(|_| Unfit)?;
    let certificate = CertificateInner {
        tbs_certificate,
        signature_algorithm: algorithm,
        signature: BitString::from_bytes(&signature)?,
    };
    Ok(CertificateInner::<x509_cert::certificate::Rfc5280>::to_der(
        &certificate,
    )?)
}

fn date(at: Timestamp) -> Result<Time, Unfit> {
    let since_epoch = Duration::from_secs(at.as_second().unsigned_abs());
    Ok(if at.as_second() < UTC_TIME_ENDS {
        Time::UtcTime(UtcTime::from_unix_duration(since_epoch)?)
    } else {
        Time::GeneralTime(GeneralizedTime::from_unix_duration(since_epoch)?)
    })
}
