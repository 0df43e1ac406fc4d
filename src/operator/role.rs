//! Who may do what: an operator everything, a reader only look, and never at a contact's words.

use std::fmt;

use crate::domain::seal::{ExposeSecret, SecretString};

/// What the holder of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Look at everything but contacts' words.
    Reader,
    /// Everything.
    Operator,
}

impl Role {
    /// The word of the console and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "read-only",
            Self::Operator => "operator",
        }
    }

    /// Whether it may change anything, and see contacts' words.
    pub fn may_act(self) -> bool {
        match self {
            Self::Reader => false,
            Self::Operator => true,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The tokens that open the API and the console.
#[derive(Clone)]
pub struct Tokens {
    operator: SecretString,
    reader: Option<SecretString>,
}

impl Tokens {
    /// # Errors
    /// Two roles need two tokens.
    pub fn new(operator: SecretString, reader: Option<SecretString>) -> Result<Self, OneToken> {
        let tokens = Self { operator, reader };
        match &tokens.reader {
            Some(reader) if same(reader.expose_secret(), &tokens.operator) => Err(OneToken),
            _ => Ok(tokens),
        }
    }

    /// The role that a token gives; `None` if it gives none.
    pub fn role_of(&self, given: &str) -> Option<Role> {
        if same(given, &self.operator) {
            return Some(Role::Operator);
        }
        let reader = self.reader.as_ref()?;
        same(given, reader).then_some(Role::Reader)
    }
}

/// Both roles have the same token.
#[derive(Debug, thiserror::Error)]
#[error(
    "`http.read_token` is the same as `http.token`; make another one, as `openssl rand -hex 32` prints it"
)]
pub struct OneToken;

/// In a time that does not tell how much of it was right.
fn same(given: &str, known: &SecretString) -> bool {
    let known = known.expose_secret().as_bytes();
    aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), known).is_ok()
}
