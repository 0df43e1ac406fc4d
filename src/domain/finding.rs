//! One check of a set-up, and what came of it: in order, or what to do about it.

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it must be.
    Good,
    /// It is not, and handoffs suffer.
    Wrong,
    /// Nobody can tell from here.
    Unsure,
}

impl Verdict {
    /// The word of the command line and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Wrong => "wrong",
            Self::Unsure => "unsure",
        }
    }
}

/// One check, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub check: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// What is there; where it is wrong, which setting is to blame and what to do.
    pub says: String,
    /// The command that puts it right, where there is one.
    pub fix: Option<String>,
}

impl Finding {
    /// It is as it must be.
    pub fn good(check: &'static str, says: impl Into<String>) -> Self {
        Self::new(check, Verdict::Good, says)
    }

    /// It is not.
    pub fn wrong(check: &'static str, says: impl Into<String>) -> Self {
        Self::new(check, Verdict::Wrong, says)
    }

    /// Nobody can tell from here.
    pub fn unsure(check: &'static str, says: impl Into<String>) -> Self {
        Self::new(check, Verdict::Unsure, says)
    }

    /// With the command that puts it right.
    pub fn fixed_by(mut self, command: impl Into<String>) -> Self {
        self.fix = Some(command.into());
        self
    }

    fn new(check: &'static str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            says: says.into(),
            fix: None,
        }
    }
}
