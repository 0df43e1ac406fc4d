//! What a real org does where no public source says so for sure, and what state its app and its user are in.
//!
//! The default of each is the likeliest behaviour, or that all is well.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The switches of an org. In JSON, one that is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// The state of the app registration (§1.3).
    pub app: App,
    /// The status of a wrong secret (§1.3).
    pub bad_secret: BadSecret,
    /// Whether the app is a user of the environment (§1.4).
    pub application_user: ApplicationUser,
    /// Privileges that its security roles lack, such as `prvCreateNote` (§3.6).
    pub missing_privileges: BTreeSet<String>,
    /// A link to a row that does not exist (§2.4).
    pub absent_link: AbsentLink,
    /// `POST` with a key that exists (§2.2).
    pub repeated_post: RepeatedPost,
    /// `If-None-Match: *` with a row that exists in an elastic table (§2.2).
    pub repeated_elastic: RepeatedElastic,
    /// How email addresses are compared (§3.4).
    pub email_case: EmailCase,
    /// Control characters in text (§7).
    pub control_characters: ControlCharacters,
    /// What becomes of a work item (§0): a write is not proven to be routed.
    pub routing: Routing,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            app: App::Registered,
            bad_secret: BadSecret::Unauthorized,
            application_user: ApplicationUser::Present,
            missing_privileges: BTreeSet::new(),
            absent_link: AbsentLink::NotFound,
            repeated_post: RepeatedPost::PreconditionFailed,
            repeated_elastic: RepeatedElastic::PreconditionFailed,
            email_case: EmailCase::Ignored,
            control_characters: ControlCharacters::Refused,
            routing: Routing::Sits,
        }
    }
}

/// The state of an app registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum App {
    /// It is in order.
    Registered,
    /// It is in another tenant: AADSTS700016.
    Unknown,
    /// It is disabled: AADSTS7000112.
    Disabled,
    /// Its secret has expired: AADSTS7000222.
    SecretExpired,
    /// Nobody has consented: AADSTS65001.
    NoConsent,
}

/// The status of a wrong secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadSecret {
    /// 401.
    Unauthorized,
    /// 400.
    BadRequest,
}

/// Whether the app is a user of the environment, and what it gets if not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplicationUser {
    /// It is.
    Present,
    /// It is not: 401 with a code.
    MissingUnauthorized,
    /// It is not: 401 without a body.
    MissingSilent,
    /// It is not: 403 with a code.
    MissingForbidden,
    /// An administrator keeps it out: 403 with another code.
    Restricted,
}

/// What a link to a row that does not exist gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbsentLink {
    /// 404.
    NotFound,
    /// 400.
    BadRequest,
}

/// What a `POST` with a known key gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatedPost {
    /// 412.
    PreconditionFailed,
    /// 409.
    Conflict,
}

/// What a conditional create of a row that exists gets in an elastic table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatedElastic {
    /// 412, as elsewhere.
    PreconditionFailed,
    /// 204: the row is overwritten.
    Overwritten,
}

/// How email addresses are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmailCase {
    /// Without regard to case.
    Ignored,
    /// Exactly.
    Counts,
}

/// What a control character in a text gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlCharacters {
    /// 400.
    Refused,
    /// Nothing.
    Kept,
}

/// What becomes of a work item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Routing {
    /// Nothing: the row just sits.
    Sits,
    /// It becomes active at once, as if an agent had it.
    Active,
}
