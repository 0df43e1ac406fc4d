//! Trying a connection: the token first, then what the token may do, so that the failing half is named.

use reqwest::StatusCode;
use serde_json::Value;

use super::Dynamics;
use super::schema::Part;
use super::settings::Settings;
use crate::domain::error::{Code, DeskError};
use crate::domain::handoff::AccessToken;

impl Dynamics {
    /// Token, user, work items, workstream: nothing is made, so the rights to make things are not proven
    /// (dynamics reference §5).
    pub(super) async fn probe(&self) -> Result<String, DeskError> {
        let access = self.tokens.get().await?;
        self.read(&access, "WhoAmI", &[]).await?;
        let key = self.name(Part::WorkItemKey);
        self.read(
            &access,
            self.name(Part::WorkItems),
            &[("$top", "1"), ("$select", key)],
        )
        .await?;
        let Settings {
            environment_url,
            workstream,
            ..
        } = &*self.settings;
        let path = format!("{}({workstream})", self.name(Part::Workstreams));
        let found = self
            .read(&access, &path, &[("$select", "msdyn_name")])
            .await?;
        let name = found["msdyn_name"].as_str().unwrap_or(workstream);
        Ok(format!(
            "{environment_url} knows the app, lets it read work items, and has the workstream `{name}`; what reps write does not come back"
        ))
    }

    pub(super) async fn read(
        &self,
        access: &AccessToken,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, DeskError> {
        let request = self.http.calls.get(self.api(path)).query(query);
        let answer = match self.call(access, request).await {
            // Perhaps it was an old one; a new one that is refused says what is wrong.
            Err(DeskError::Unauthorized(_)) => {
                let renewed = self.tokens.get().await?;
                let request = self.http.calls.get(self.api(path)).query(query);
                self.call(&renewed, request).await?
            }
            Err(DeskError::Broken(what)) => return Err(self.no_dataverse(&what)),
            answer => answer?,
        };
        if answer.status == StatusCode::OK {
            answer.json().map_err(|_| self.no_dataverse("no JSON"))
        } else {
            Err(self.refused(&answer, &Value::Null))
        }
    }

    fn no_dataverse(&self, what: &str) -> DeskError {
        let Settings {
            environment_url,
            connection,
            ..
        } = &*self.settings;
        DeskError::Misconfigured {
            code: Code::BadDeployment,
            message: format!(
                "{environment_url} does not answer as Dataverse does ({what}); check `environment_url` of connection `{connection}`"
            ),
        }
    }
}
