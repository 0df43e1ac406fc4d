//! `baton keygen`: a key pair for a desk with its JWK and certificate, and a master key, each in a file of its own.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;

use super::Failure;
use super::page::print;
use crate::domain::clock::{self, Clock};
use crate::domain::jwk;
use crate::domain::keys::{RsaPair, pem};
use crate::domain::seal::{ExposeSecret, MasterKey};

/// What only its owner may read.
const SECRET: u32 = 0o600;
/// Ten years: what expires unnoticed ends every handoff.
const DAYS: u32 = 3650;
/// What everybody may read.
const PUBLIC: u32 = 0o644;

/// What is made, and where it goes.
#[derive(Debug, Args)]
pub struct Keygen {
    /// The folder they are written to.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// The id of the key, which becomes `auth_key_id`; `baton-` and the day unless you say otherwise.
    #[arg(long, value_name = "ID")]
    kid: Option<String>,
    /// How many days the certificate is good for.
    #[arg(long, value_name = "N", default_value_t = DAYS, value_parser = clap::value_parser!(u32).range(30..=36_500))]
    days: u32,
    /// Make no master key: only the key pair of a desk, as for a rotation.
    #[arg(long)]
    no_master_key: bool,
}

/// Writes private.pem, public.pem, certificate.pem, jwk.json and master.key; none of them if one is there already.
pub fn run(keygen: &Keygen) -> Result<(), Failure> {
    let file = |name: &str| keygen.out.join(name);
    let mut names = vec!["private.pem", "public.pem", "certificate.pem", "jwk.json"];
    if !keygen.no_master_key {
        names.push("master.key");
    }
    fs::create_dir_all(&keygen.out).with_context(|| keygen.out.display().to_string())?;
    if let Some(there) = names
        .iter()
        .map(|name| file(name))
        .find(|path| path.exists())
    {
        return Err(anyhow!(
            "{} is there already, and a key that is lost cannot be made again; name another folder with --out",
            there.display()
        )
        .into());
    }
    let now = Clock::System.now();
    let kid = keygen.kid.clone();
    let kid = kid.unwrap_or_else(|| format!("baton-{}", now.strftime("%Y-%m-%d")));
    let until = clock::after(now, Duration::from_hours(24 * u64::from(keygen.days)));
    let pair = RsaPair::generate();
    let certificate = pair
        .certificate(now, until)
        .context("the certificate cannot be made")?;
    let jwk = jwk::with_certificate(&pair, &kid, &certificate);
    let jwk = jwk.context("the JWK cannot be made")?;
    write(
        &file("private.pem"),
        SECRET,
        pair.private_pem.expose_secret(),
    )?;
    write(&file("public.pem"), PUBLIC, &pair.public_pem)?;
    write(
        &file("certificate.pem"),
        PUBLIC,
        &pem("CERTIFICATE", &certificate.der),
    )?;
    write(&file("jwk.json"), PUBLIC, &format!("{jwk}\n"))?;
    let at = |name: &str| file(name).display().to_string();
    let mut text = format!(
        "--auth-key-id {kid}\n--auth-private-key @{}\n--auth-public-key @{}\n--auth-jwk @{}\n",
        at("private.pem"),
        at("public.pem"),
        at("jwk.json"),
    );
    if !keygen.no_master_key {
        write(
            &file("master.key"),
            SECRET,
            &format!("{}\n", MasterKey::generate()),
        )?;
        let path = file("master.key");
        text.push_str(&format!(
            "store.master_key_file = {path:?} (for a new database only)\n"
        ));
    }
    print(&text)
}

/// Never over another file, and never readable to others, not even for a moment.
fn write(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| path.display().to_string())
}
