//! What it means that Dataverse refuses: by status and code, since its sentences change (dynamics reference §2.4, §6.1).

use serde_json::Value;

use super::settings::Settings;
use crate::desk::http::{Answer, repeats};
use crate::domain::error::{Code, DeskError};

/// The caller is nobody in this environment.
const NOT_A_MEMBER: &str = "0x80072560";
/// An administrator keeps this app out.
const APP_RESTRICTED: &str = "0x80095ffc";
/// A row that is named does not exist.
const NO_SUCH_ROW: &str = "0x80040217";
/// A table that is named does not exist.
const NO_SUCH_TABLE: &str = "0x8006088a";

/// How Dataverse says in words that a name does not exist; older versions give no code for it.
const UNKNOWN_NAMES: [&str; 3] = [
    "undeclared property",
    "Invalid property",
    "Could not find a property",
];

/// The code in an answer.
pub fn code(answer: &Answer) -> Option<String> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let code = body.pointer("/error/code")?.as_str()?;
    (!code.is_empty()).then(|| code.to_ascii_lowercase())
}

/// Whether a row that is named is not there, and it is this one.
pub fn is_gone(answer: &Answer, id: &str) -> bool {
    matches!(answer.status.as_u16(), 400 | 404)
        && code(answer).as_deref() == Some(NO_SUCH_ROW)
        && String::from_utf8_lossy(&answer.body)
            .to_ascii_lowercase()
            .contains(id)
}

/// Whether what was asked for is beyond this connection: the right to it is missing, or the table.
pub fn is_out_of_reach(answer: &Answer) -> bool {
    match (answer.status.as_u16(), code(answer).as_deref()) {
        (403, code) => !matches!(code, Some(NOT_A_MEMBER | APP_RESTRICTED)),
        (404, Some(NO_SUCH_TABLE)) => true,
        _ => false,
    }
}

/// What an answer means that is not a good one; `told` is what Dataverse was told, which must not get into the error.
pub fn meaning(settings: &Settings, answer: &Answer, told: &Value) -> DeskError {
    let (connection, said) = (&settings.connection, explained(answer, told));
    if let Some((code, what)) = fault(settings, answer, &said) {
        let message = format!("{what} of connection `{connection}`");
        return DeskError::Misconfigured { code, message };
    }
    match answer.meaning() {
        DeskError::Refused { status: 413, .. } => DeskError::Refused {
            status: 413,
            message: format!(
                "it is larger than the environment takes (connection `{connection}`); raise the maximum file size (Power Platform admin center → Environment → Settings → Email)"
            ),
        },
        DeskError::Refused { status, .. } => {
            let code = code(answer).unwrap_or_else(|| "no code".into());
            let message = format!("{code} (connection `{connection}`): {said}");
            DeskError::Refused { status, message }
        }
        DeskError::Unavailable {
            status,
            retry_after,
            ..
        } => DeskError::Unavailable {
            status,
            retry_after,
            message: said,
        },
        error => error,
    }
}

/// A token was given, and Dataverse does not take it although it is new.
pub fn no_application_user(settings: &Settings) -> DeskError {
    let (code, what) = nobody(settings);
    let message = format!("{what} of connection `{}`", settings.connection);
    DeskError::Misconfigured { code, message }
}

/// What is wrong with the connection, if it is that; ends in what to check.
fn fault(settings: &Settings, answer: &Answer, said: &str) -> Option<(Code, String)> {
    let body = String::from_utf8_lossy(&answer.body);
    let speaks_of_names = || UNKNOWN_NAMES.iter().any(|words| body.contains(words));
    Some(match (answer.status.as_u16(), code(answer).as_deref()) {
        (_, Some(NOT_A_MEMBER)) => nobody(settings),
        (_, Some(APP_RESTRICTED)) => (
            Code::BadCredentials,
            format!(
                "an administrator of the environment keeps apps out ({said}); allow the app (Power Platform admin center → Environment → Settings → Privacy + Security), or check `client_id`"
            ),
        ),
        (403, _) => (
            Code::BadCredentials,
            format!(
                "the application user lacks the right {}; give it a security role that has it (Power Platform admin center → Environment → Settings → Application users), in the environment of `environment_url`",
                privilege(answer).unwrap_or_else(|| format!("for this ({said})"))
            ),
        ),
        _ if is_gone(answer, &settings.workstream) => (
            Code::BadDeployment,
            format!(
                "there is no workstream {}, perhaps because it is the id of a queue; put the workstream's GUID (Customer Service admin center → Workstreams) into `default_queue_id`",
                settings.workstream
            ),
        ),
        (404, Some(NO_SUCH_TABLE)) => (
            Code::BadDeployment,
            format!(
                "the environment has no such table ({said}): Omnichannel is not provisioned there, or the tables have other names; check `environment_url` and `schema_profile`"
            ),
        ),
        (400, _) if speaks_of_names() => (
            Code::BadDeployment,
            format!(
                "the table has other columns ({said}); check `schema_profile` and the settings `schema.…`"
            ),
        ),
        (404, None) => (
            Code::BadDeployment,
            "there is no Dataverse at this address; check `environment_url`".into(),
        ),
        _ => return None,
    })
}

/// The app is no application user (dynamics reference §1.4).
fn nobody(settings: &Settings) -> (Code, String) {
    let Settings {
        client_id,
        environment_url,
        ..
    } = settings;
    (
        Code::BadCredentials,
        format!(
            "Microsoft Entra gives a token, but the app {client_id} is no application user of {environment_url}; add it with a security role (Power Platform admin center → Environment → Settings → Application users), or check `client_id` and `environment_url`"
        ),
    )
}

/// What Dataverse wrote, unless it repeats what it was told.
fn explained(answer: &Answer, told: &Value) -> String {
    let said = answer.explanation();
    let texts = told.as_object().into_iter().flatten();
    if texts
        .filter_map(|(_, value)| value.as_str())
        .any(|text| repeats(&said, text))
    {
        return "an answer that repeats what it was told".into();
    }
    said
}

/// The privilege that a refusal names, such as `prvCreateNote`.
pub fn privilege(answer: &Answer) -> Option<String> {
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    let begins = said.find("prv")?;
    let name: String = said[begins..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    Some(format!("`{name}`"))
}
