//! Dynamics on the stand.

use std::collections::BTreeMap;

use baton::domain::connection::{Connection, DeskKind};
use baton::domain::ids::ConnectionName;
use baton::sim::dynamics::ledger::{Kind, Row};
use baton::sim::dynamics::switches::{App, ApplicationUser, BadSecret};
use baton::sim::dynamics::{Options, Org, Profile, WORKSTREAM, call};
use baton::sim::faults::Faults;

use super::wrongs::{Found, Way, Wrong};
use super::{Act, CONNECTION, Case, Stand};

pub struct DynamicsStand(Org);

const OTHER: &str = "99999999-9999-4999-8999-999999999999";

impl Stand for DynamicsStand {
    const KIND: DeskKind = DeskKind::Dynamics;
    type Options = Options;

    fn options() -> Options {
        Options::default()
    }

    async fn start(options: Options) -> Self {
        Self(Org::start(options).await.expect("an org"))
    }

    fn connection(&self) -> Connection {
        let usual = Options::default();
        let settings = [
            ("tenant_id", usual.tenant.as_str()),
            ("client_id", &usual.client_id),
            ("client_secret", &usual.client_secret),
            ("environment_url", self.0.url()),
            ("login_url", self.0.url()),
            ("default_queue_id", WORKSTREAM),
        ];
        Connection {
            name: ConnectionName::from(CONNECTION),
            desk: DeskKind::Dynamics,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            secrets: BTreeMap::new(),
            version: 1,
        }
    }

    fn faults(&self) -> &Faults {
        self.0.faults()
    }

    fn calls(act: Act) -> &'static [&'static str] {
        match act {
            Act::Access => &[call::TOKEN],
            Act::Conversation => &[call::CREATE_WORK_ITEM, call::CREATE_CONTEXT_ITEM],
            Act::Opening => &[call::CREATE_NOTE, call::CREATE_TRANSCRIPT],
            Act::Message | Act::File => &[call::CREATE_NOTE],
            Act::Close => &[call::UPDATE],
        }
    }

    fn shown(&self) -> Vec<String> {
        let ledger = self.0.ledger();
        let mut shown: Vec<String> = ledger.rows.iter().filter_map(line).collect();
        let is_closed = |item: &Row| item.value("statecode") == 1;
        shown.extend(
            ledger
                .work_items()
                .filter(|it| is_closed(it))
                .map(|_| "closed".to_owned()),
        );
        shown
    }

    fn wrongs() -> Vec<Wrong<Self>> {
        [
            wrong_settings(),
            wrong_app(),
            missing_set_up(),
            missing_privileges(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn exempt(case: Case, act: Act) -> Option<&'static str> {
        match (case, act) {
            (Case::Forbidden, Act::Opening) => Some(
                "without the right to make notes the work item has the summary, and the handoff goes on",
            ),
            _ => None,
        }
    }

    fn rep_says(&self, _: &str) {
        panic!("what reps write does not come back from Dynamics");
    }

    fn rep_ends(&self) {
        panic!("nobody here hears of an end in Dynamics");
    }
}

/// What a rep finds; the workstream was there before.
fn line(row: &Row) -> Option<String> {
    Some(match row.kind {
        Kind::WorkItem => "conversation".to_owned(),
        Kind::ContextItem | Kind::ElasticContextItem => {
            format!(
                "context: {} = {}",
                row.text("msdyn_name"),
                row.text("msdyn_value")
            )
        }
        Kind::Transcript => "transcript".to_owned(),
        Kind::Note if !row.text("filename").is_empty() => format!("file: {}", row.text("filename")),
        Kind::Note => format!("message: {}", row.text("notetext")),
        _ => return None,
    })
}

fn wrong_settings() -> Vec<Wrong<DynamicsStand>> {
    let saving = |name, setting: &'static str, value: &str, advice| {
        Wrong::new(
            name,
            Found::Saving,
            Way::setting(setting, value),
            setting,
            advice,
        )
    };
    vec![
        saving(
            "a tenant that is no GUID",
            "tenant_id",
            "contoso",
            "copy the Directory (tenant) ID",
        ),
        saving(
            "a client id that is no GUID",
            "client_id",
            "my app",
            "copy the Application (client) ID",
        ),
        saving(
            "a Secret ID in place of the Value",
            "client_secret",
            OTHER,
            "looks like the Secret ID",
        ),
        saving(
            "no secret and no certificate",
            "client_secret",
            "",
            "client_secret: is missing",
        ),
        saving(
            "an address without a scheme",
            "environment_url",
            "contoso.crm.dynamics.com",
            "write https://contoso.crm.dynamics.com",
        ),
        saving(
            "the maker portal in place of the environment",
            "environment_url",
            "https://make.powerapps.com/x",
            "is the Power Apps maker portal",
        ),
        saving(
            "a workstream by name",
            "default_queue_id",
            "SMS support",
            "copy the workstream's GUID",
        ),
        saving(
            "a profile that is none",
            "schema_profile",
            "msdyn",
            "is no schema profile",
        ),
    ]
}

fn wrong_app() -> Vec<Wrong<DynamicsStand>> {
    let verifying =
        |name, way, setting, advice| Wrong::new(name, Found::Verifying, way, setting, advice);
    vec![
        verifying(
            "a tenant that does not exist",
            Way::setting("tenant_id", OTHER),
            "`tenant_id`",
            "there is no such tenant",
        ),
        verifying(
            "an app of another tenant",
            Way::setting("client_id", OTHER),
            "`client_id`",
            "the app is not in this tenant",
        ),
        verifying(
            "an app that is disabled",
            Way::desk(|org: &mut Options| org.switches.app = App::Disabled),
            "`client_id`",
            "enable it",
        ),
        verifying(
            "another secret",
            Way::setting("client_secret", "another"),
            "`client_secret`",
            "paste the secret's Value",
        )
        .or(
            Way::desk(|org: &mut Options| org.switches.bad_secret = BadSecret::BadRequest)
                .and("client_secret", "another"),
        ),
        verifying(
            "a secret that has expired",
            Way::desk(|org: &mut Options| org.switches.app = App::SecretExpired),
            "`client_secret`",
            "make a new one",
        ),
        verifying(
            "no consent of an administrator",
            Way::desk(|org: &mut Options| org.switches.app = App::NoConsent),
            "`client_id`",
            "grant admin consent",
        ),
        verifying(
            "an environment of another tenant",
            Way::setting("environment_url", "http://127.0.0.1:9"),
            "`environment_url`",
            "the environment is unknown in this tenant",
        ),
        verifying(
            "a login address where nobody is",
            Way::setting("login_url", "http://127.0.0.1:9"),
            "`login_url`",
            "where tokens come from",
        ),
    ]
}

fn missing_set_up() -> Vec<Wrong<DynamicsStand>> {
    let verifying =
        |name, way, setting, advice| Wrong::new(name, Found::Verifying, way, setting, advice);
    let user = |user: fn(&mut Options)| Way::desk(user);
    vec![
        verifying(
            "the application user is missing",
            user(|org| org.switches.application_user = ApplicationUser::MissingUnauthorized),
            "`client_id` and `environment_url`",
            "is no application user of",
        )
        .or(user(|org| {
            org.switches.application_user = ApplicationUser::MissingSilent
        }))
        .or(user(|org| {
            org.switches.application_user = ApplicationUser::MissingForbidden
        })),
        verifying(
            "an administrator keeps the app out",
            user(|org| org.switches.application_user = ApplicationUser::Restricted),
            "`client_id`",
            "allow the app",
        ),
        verifying(
            "a workstream that does not exist",
            Way::setting("default_queue_id", OTHER),
            "`default_queue_id`",
            "put the workstream's GUID",
        ),
        verifying(
            "tables of the other profile",
            Way::desk(|org: &mut Options| org.profile = Profile::Page),
            "`schema_profile`",
            "the environment has no such table",
        ),
    ]
}

fn missing_privileges() -> Vec<Wrong<DynamicsStand>> {
    let lacks = |right: &'static str, desk: fn(&mut Options), found, advice| {
        Wrong::new(right, found, Way::desk(desk), "`environment_url`", advice)
    };
    let unproven =
        Found::HandingOver("trying a connection makes nothing, so the right to is not proven");
    let unread = Found::VerifyingOnly("a handoff reads nothing");
    vec![
        lacks(
            "the right to make work items",
            |org| {
                _ = org
                    .switches
                    .missing_privileges
                    .insert("prvCreateActivity".into())
            },
            unproven,
            "lacks the right `prvCreateActivity`; give it a security role",
        ),
        lacks(
            "the right to make context variables",
            |org| {
                let right = "prvCreatemsdyn_ocliveworkitemcontextitem";
                org.switches.missing_privileges.insert(right.into());
            },
            unproven,
            "lacks the right `prvCreatemsdyn_ocliveworkitemcontextitem`; give it a security role",
        ),
        lacks(
            "the right to read work items",
            |org| {
                _ = org
                    .switches
                    .missing_privileges
                    .insert("prvReadActivity".into())
            },
            unread,
            "lacks the right `prvReadActivity`; give it a security role",
        ),
    ]
}
