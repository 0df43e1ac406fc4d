//! Asks before something is done that cannot be taken back.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use super::Failure;

/// Whether somebody has agreed already.
#[derive(Debug, Args)]
pub struct Consent {
    /// Do not ask; needed where there is no terminal.
    #[arg(long, short)]
    yes: bool,
}

impl Consent {
    /// Agreed already, or by somebody at the terminal now. Everything else is a failure that says so.
    pub fn to(&self, what: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            let advice = "there is no terminal to ask at; add --yes if that is what you want";
            return Err(Failure::Usage(format!("this {what}; {advice}")));
        }
        let mut err = io::stderr();
        write!(err, "This {what}. Go on? [y/N] ")?;
        err.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            Ok(())
        } else {
            Err(anyhow::anyhow!("nothing was done").into())
        }
    }
}
