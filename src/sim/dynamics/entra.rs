//! Microsoft Entra's token endpoint (§1).

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::Shared;
use super::api::Answer;
use super::refusal::Refusal;
use super::switches::{App, BadSecret};

/// A certificate that was uploaded to the app registration.
#[derive(Clone, Debug)]
pub struct AppCertificate {
    /// The certificate in PEM.
    pub pem: String,
    /// Its public key in PEM, so that nobody has to take it out.
    pub public_key: String,
}

/// What an assertion is checked with.
pub(super) struct AppKey {
    /// `x5t#S256`.
    thumbprint: String,
    key: DecodingKey,
}

impl AppKey {
    pub fn new(certificate: &AppCertificate) -> Result<Self, jsonwebtoken::errors::Error> {
        let lines = certificate.pem.lines();
        let body: String = lines.filter(|line| !line.starts_with("-----")).collect();
        let der = BASE64_STANDARD.decode(body).unwrap_or_default();
        Ok(Self {
            thumbprint: BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)),
            key: DecodingKey::from_rsa_pem(certificate.public_key.as_bytes())?,
        })
    }

    /// Whether the app signed this for us (§1.2).
    fn verifies(&self, assertion: &str, client_id: &str, audience: &str) -> bool {
        let Ok(header) = jsonwebtoken::decode_header(assertion) else {
            return false;
        };
        let mut validation = Validation::new(Algorithm::PS256);
        validation.set_audience(&[audience]);
        validation.set_issuer(&[client_id]);
        validation.set_required_spec_claims(&["aud", "iss", "sub", "exp", "nbf", "jti"]);
        // Tests set clocks; the claims must be there, and fit each other.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Value>(assertion, &self.key, &validation);
        header.x5t_s256.as_deref() == Some(&self.thumbprint)
            && claims.is_ok_and(|decoded| {
                let claims = decoded.claims;
                let times = (claims["nbf"].as_i64(), claims["exp"].as_i64());
                claims["sub"] == client_id
                    && matches!(times, (Some(from), Some(to)) if (300..=600).contains(&(to - from)))
            })
    }
}

/// `POST /{tenant}/oauth2/v2.0/token`.
pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    Path(tenant): Path<String>,
    body: Bytes,
) -> Response {
    shared.change(|memory| {
        let answer = grant(&shared, memory, &tenant, &body);
        answer.unwrap_or_else(|refusal| memory.refuse(super::call::TOKEN, &refusal))
    })
}

fn grant(shared: &Shared, memory: &mut super::memory::Memory, tenant: &str, body: &[u8]) -> Answer {
    let options = &shared.options;
    let bad =
        |error, number, text: &str| Refusal::entra(StatusCode::BAD_REQUEST, error, number, text);
    let form = form(body);
    let field = |name: &str| form.get(name).map(String::as_str);
    let needed = |name: &str| {
        field(name).ok_or_else(|| {
            let text = format!("The request body must contain the following parameter: '{name}'.");
            bad("invalid_request", 900_144, &text)
        })
    };
    if needed("grant_type")? != "client_credentials" {
        return Err(bad(
            "unsupported_grant_type",
            70003,
            "The app requested an unsupported grant type.",
        ));
    }
    if tenant != options.tenant {
        let text = format!("Tenant '{tenant}' not found.");
        return Err(bad("invalid_request", 90002, &text));
    }
    let client_id = needed("client_id")?;
    if client_id != options.client_id || memory.switches.app == App::Unknown {
        let text =
            format!("Application with identifier '{client_id}' was not found in the directory.");
        return Err(bad("unauthorized_client", 700_016, &text));
    }
    in_order(memory.switches.app)?;
    let proof = proof(shared, memory.switches.bad_secret, tenant, client_id, &form)?;
    let scope = needed("scope")?;
    let Some(resource) = scope.strip_suffix("/.default") else {
        return Err(bad(
            "invalid_scope",
            70011,
            "The provided value for the input parameter 'scope' is not valid.",
        ));
    };
    // A slash at the end makes it another resource.
    if resource != shared.url {
        let text = format!("The resource principal named {resource} was not found in the tenant.");
        return Err(bad("invalid_resource", 500_011, &text));
    }
    let token = memory.issue(proof, options.token_lifetime);
    let lifetime = options.token_lifetime.as_secs();
    let body = json!({
        "token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token,
    });
    Ok(Json(body).into_response())
}

/// Whether the registration of an app that is known lets it have a token.
fn in_order(app: App) -> Result<(), Refusal> {
    let bad =
        |error, number, text: &str| Refusal::entra(StatusCode::BAD_REQUEST, error, number, text);
    match app {
        App::Registered | App::Unknown => Ok(()),
        App::Disabled => Err(bad(
            "unauthorized_client",
            7_000_112,
            "Application is disabled.",
        )),
        App::SecretExpired => {
            let text = "The provided client secret keys are expired.";
            Err(Refusal::entra(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                7_000_222,
                text,
            ))
        }
        App::NoConsent => {
            let text = "The user or administrator has not consented to use the application.";
            Err(bad("invalid_grant", 65001, text))
        }
    }
}

/// How the app proved to be itself.
fn proof(
    shared: &Shared,
    bad_secret: BadSecret,
    tenant: &str,
    client_id: &str,
    form: &HashMap<String, String>,
) -> Result<&'static str, Refusal> {
    const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let unauthorized = |number, text: &str| {
        Refusal::entra(StatusCode::UNAUTHORIZED, "invalid_client", number, text)
    };
    let field = |name: &str| form.get(name).map(String::as_str);
    match (field("client_secret"), field("client_assertion")) {
        (Some(secret), None) if secret == shared.options.client_secret => Ok("secret"),
        (Some(_), None) => {
            let status = match bad_secret {
                BadSecret::Unauthorized => StatusCode::UNAUTHORIZED,
                BadSecret::BadRequest => StatusCode::BAD_REQUEST,
            };
            let text = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.";
            Err(Refusal::entra(status, "invalid_client", 7_000_215, text))
        }
        (None, Some(assertion)) => {
            let audience = format!("{}/{tenant}/oauth2/v2.0/token", shared.url);
            let key = shared.app_key.as_ref();
            let is_typed = field("client_assertion_type") == Some(ASSERTION);
            if is_typed && key.is_some_and(|key| key.verifies(assertion, client_id, &audience)) {
                Ok("certificate")
            } else {
                Err(unauthorized(
                    700_027,
                    "The certificate with identifier used to sign the client assertion is not registered on application.",
                ))
            }
        }
        (None, None) | (Some(_), Some(_)) => Err(unauthorized(
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )),
    }
}

/// `application/x-www-form-urlencoded`.
fn form(body: &[u8]) -> HashMap<String, String> {
    let Ok(url) = reqwest::Url::parse(&format!("form:?{}", String::from_utf8_lossy(body))) else {
        return HashMap::new();
    };
    url.query_pairs().into_owned().collect()
}
