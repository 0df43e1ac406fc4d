//! A Dynamics 365 environment, which nothing that a rep writes leaves.

use std::collections::BTreeMap;

use super::{Conversation, Desk, Hands, Said, Standing, Words, mark};
use crate::domain::connection::DeskKind;
use crate::sim::dynamics::ledger::{Ledger, Row};
use crate::sim::dynamics::{Options, Org, StartError, WORKSTREAM, call};
use crate::sim::faults::Faults;

/// An environment, and the place where its tokens come from.
pub struct Dynamics {
    /// The environment.
    pub org: Org,
}

impl Dynamics {
    /// Starts an environment.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let org = Org::start(options).await?;
        Ok(Self { org })
    }
}

impl Desk for Dynamics {
    fn kind(&self) -> DeskKind {
        DeskKind::Dynamics
    }

    fn words(&self) -> Words {
        Words {
            desk: "A Dynamics 365 environment",
            trusts: "Its app registration has a secret for us.",
            conversation: "live work item",
            opening: "opening note",
            again: "with the same id",
            once: "each time with the id that Baton had chosen before the first",
        }
    }

    fn url(&self) -> &str {
        self.org.url()
    }

    fn marks(&self) -> Vec<(&'static str, String)> {
        let org = self.org.options();
        vec![
            ("tenant_id", org.tenant.clone()),
            ("client_id", org.client_id.clone()),
            ("workstream", WORKSTREAM.to_owned()),
        ]
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let org = self.org.options();
        let settings = [
            ("tenant_id", org.tenant.as_str()),
            ("client_id", &org.client_id),
            ("client_secret", &org.client_secret),
            ("environment_url", self.org.url()),
            ("login_url", self.org.url()),
            ("default_queue_id", WORKSTREAM),
        ];
        settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn faults(&self) -> &Faults {
        self.org.faults()
    }

    fn creating(&self) -> &'static str {
        call::CREATE_WORK_ITEM
    }

    fn creations(&self) -> u32 {
        self.org.calls(call::CREATE_WORK_ITEM)
    }

    fn conversations(&self, session: &str) -> Vec<Conversation> {
        let mark = mark(session);
        self.org.look(|ledger| {
            let its = ledger.work_items().filter(|row| says(row, &mark));
            its.map(|row| seen(row, &mark, ledger)).collect()
        })
    }

    fn hands(&self, _conversation: &str, _rep: &str) -> Option<Box<dyn Hands>> {
        None
    }
}

fn says(row: &Row, what: &str) -> bool {
    let mut texts = row.columns.values().filter_map(|value| value.as_str());
    texts.any(|text| text.contains(what))
}

fn seen(work_item: &Row, mark: &str, ledger: &Ledger) -> Conversation {
    let its = |row: &&Row| row.links.values().any(|id| *id == work_item.id);
    let (openings, later): (Vec<&Row>, Vec<&Row>) =
        ledger.notes().filter(its).partition(|row| says(row, mark));
    let opening = openings.first().map(|row| row.text("notetext"));
    let opening = opening.unwrap_or_default();
    let variables = ledger.context(&work_item.id);
    let variables = variables
        .iter()
        .map(|(name, value)| format!("{name} = {value}\n"));
    Conversation {
        id: work_item.id.clone(),
        opening: opening.to_owned(),
        opening_messages: openings.len(),
        sight: format!(
            "Live work item “{}”\n{}\nNote:\n{opening}",
            work_item.text("subject"),
            variables.collect::<String>(),
        ),
        heard: (later.iter())
            .map(|row| Said::Words(row.text("notetext").to_owned()))
            .collect(),
        written: vec![],
        // Closed, resolved: anything but open (dynamics reference §3.1).
        standing: match work_item.value("statecode").as_u64() {
            None | Some(0) => Standing::Open,
            Some(_) => Standing::Over,
        },
    }
}
