//! What the tables and their columns are called: one profile for the product, one for the names of the public page.
//!
//! The product's table is `msdyn_ocliveworkitem`; no public source but the page knows `oc_liveworkitem`
//! (dynamics reference §0). So the second profile writes no more than the page names, and any name can be set.

use std::collections::BTreeMap;

use crate::desk::tidy::quoted;

/// What the names of settings begin with that set one name.
pub const PREFIX: &str = "schema.";
/// The profile of a connection that names none.
pub const PROFILE_DEFAULT: &str = "msdyn_ocliveworkitem";
/// The profile in the words of the public page.
const PROFILE_PAGE: &str = "oc_liveworkitem";
/// Stands for a part that a table does not have.
const ABSENT: &str = "-";

/// Something in the tables that has a name.
///
/// A set is what an address ends in; a link is the name before `@odata.bind`, in which case counts
/// (dynamics reference §2.1, §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Set of live work items.
    WorkItems,
    /// Their primary key.
    WorkItemKey,
    /// Text column that repeats the primary key.
    WorkItemId,
    /// Column for the long title.
    Title,
    /// Column for a few lines.
    Description,
    /// Column for the channel, many values as one text.
    Channel,
    /// Column for the contact's phone number; the product has none.
    Phone,
    /// Link from a work item to its workstream.
    Workstream,
    /// Set of workstreams.
    Workstreams,
    /// Link from a work item to its contact.
    Contact,
    /// Set of context items.
    ContextItems,
    /// Set of context items in the elastic table.
    ContextItemsElastic,
    /// Column for a context item's name.
    ContextName,
    /// Column for its value.
    ContextValue,
    /// Column for whether the rep sees it.
    ContextShown,
    /// Column for its type, in the elastic table.
    ContextType,
    /// Link from a context item to its work item.
    ContextWorkItem,
    /// Set of transcripts.
    Transcripts,
    /// Column for a transcript's name.
    TranscriptName,
    /// Link from a transcript to its work item.
    TranscriptWorkItem,
    /// Link from a note to a work item.
    NoteWorkItem,
    /// Link from a note to a transcript.
    NoteTranscript,
}

/// Each part with its name in settings, in the product, and in the words of the public page
/// (dynamics reference §3.1 to §3.5).
const PARTS: [(Part, &str, &str, &str); 22] = [
    (
        Part::WorkItems,
        "work_items",
        "msdyn_ocliveworkitems",
        "oc_liveworkitems",
    ),
    (
        Part::WorkItemKey,
        "work_item_key",
        "activityid",
        "oc_liveworkitemid",
    ),
    (
        Part::WorkItemId,
        "work_item_id",
        "msdyn_ocliveworkitemid",
        ABSENT,
    ),
    (Part::Title, "title", "msdyn_title", ABSENT),
    (Part::Description, "description", "description", ABSENT),
    (Part::Channel, "channel", "msdyn_channel", ABSENT),
    (Part::Phone, "phone", ABSENT, ABSENT),
    (
        Part::Workstream,
        "workstream",
        "msdyn_liveworkstreamid_msdyn_ocliveworkitem",
        "workstreamId",
    ),
    (
        Part::Workstreams,
        "workstreams",
        "msdyn_liveworkstreams",
        "msdyn_liveworkstreams",
    ),
    (
        Part::Contact,
        "contact",
        "msdyn_customer_msdyn_ocliveworkitem_contact",
        "oc_customer_contact",
    ),
    (
        Part::ContextItems,
        "context_items",
        "msdyn_ocliveworkitemcontextitems",
        "oc_liveworkitemcontextitems",
    ),
    (
        Part::ContextItemsElastic,
        "context_items_elastic",
        "msdyn_ocliveworkitemcontextitemelastics",
        "oc_liveworkitemcontextitemelastics",
    ),
    (Part::ContextName, "context_name", "msdyn_name", "oc_name"),
    (
        Part::ContextValue,
        "context_value",
        "msdyn_value",
        "oc_value",
    ),
    (
        Part::ContextShown,
        "context_shown",
        "msdyn_isdisplayable",
        ABSENT,
    ),
    (Part::ContextType, "context_type", "msdyn_datatype", ABSENT),
    (
        Part::ContextWorkItem,
        "context_work_item",
        "msdyn_ocliveworkitemid",
        "oc_liveworkitemid",
    ),
    (
        Part::Transcripts,
        "transcripts",
        "msdyn_transcripts",
        ABSENT,
    ),
    (
        Part::TranscriptName,
        "transcript_name",
        "msdyn_name",
        ABSENT,
    ),
    (
        Part::TranscriptWorkItem,
        "transcript_work_item",
        "msdyn_LiveWorkItemIdId",
        ABSENT,
    ),
    (
        Part::NoteWorkItem,
        "note_work_item",
        "objectid_msdyn_ocliveworkitem",
        "objectid_oc_liveworkitem",
    ),
    (
        Part::NoteTranscript,
        "note_transcript",
        "objectid_msdyn_transcript",
        ABSENT,
    ),
];

/// Without these there is no handoff.
const NEEDED: [&str; 5] = [
    "work_items",
    "work_item_key",
    "workstream",
    "workstreams",
    "note_work_item",
];

/// The names of one connection.
#[derive(Debug, Clone)]
pub struct Schema {
    names: BTreeMap<Part, String>,
}

impl Schema {
    /// A profile, with the names changed that settings change.
    pub fn new(profile: &str, changes: &BTreeMap<String, String>) -> Self {
        let names = PARTS
            .into_iter()
            .map(|(part, setting, product, page)| {
                let usual = if profile == PROFILE_PAGE {
                    page
                } else {
                    product
                };
                let name = changes.get(setting).map_or(usual, String::as_str);
                (part, name.to_owned())
            })
            .filter(|(_, name)| name != ABSENT)
            .collect();
        Self { names }
    }

    /// What a part is called; `None` if the tables do not have it.
    pub fn name(&self, part: Part) -> Option<&str> {
        self.names.get(&part).map(String::as_str)
    }
}

/// Reads the setting `schema_profile`.
pub fn profile(given: &str) -> Result<(), String> {
    if [PROFILE_DEFAULT, PROFILE_PAGE].contains(&given) {
        return Ok(());
    }
    Err(format!(
        "{} is no schema profile; write {PROFILE_DEFAULT}, the table of the product, or {PROFILE_PAGE}",
        quoted(given)
    ))
}

/// Reads a setting `schema.<Name>`.
pub fn changed(name: &str, given: &str) -> Result<String, String> {
    if PARTS.iter().all(|(_, setting, ..)| *setting != name) {
        let known: Vec<&str> = PARTS.iter().map(|(_, setting, ..)| *setting).collect();
        return Err(format!(
            "is no name that a table has; take it out, or write one of schema.{}",
            known.join(", schema.")
        ));
    }
    let given = given.trim();
    let is_name = !given.is_empty() && given.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let may_be_absent = !NEEDED.contains(&name);
    if is_name || (given == ABSENT && may_be_absent) {
        Ok(given.to_owned())
    } else if given == ABSENT {
        Err("cannot be left out; write its name, or take this setting out".into())
    } else {
        Err(format!(
            "{} cannot be the name of a table or column; write letters, digits and underscores, or {ABSENT} if there is no such thing",
            quoted(given)
        ))
    }
}
