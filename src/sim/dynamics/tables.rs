//! The tables of an org: columns with their limits, and the names by which rows are linked (§3).

mod page;

use serde::{Deserialize, Serialize};

/// What the tables are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// As in the product.
    Product,
    /// As on the public page, the only source for it; what the page does not name is a guess.
    Page,
    /// An environment without Omnichannel.
    Bare,
}

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Live work items.
    WorkItem,
    /// Workstreams.
    Workstream,
    /// Context items in the standard table.
    ContextItem,
    /// Context items in the elastic table.
    ElasticContextItem,
    /// Contacts.
    Contact,
    /// Transcripts.
    Transcript,
    /// Notes.
    Note,
    /// Queues.
    Queue,
}

/// A table.
pub(super) struct Table {
    pub kind: Kind,
    /// Logical name.
    pub entity: &'static str,
    /// What addresses end in; its case counts.
    pub set: &'static str,
    /// Primary key.
    pub key: &'static str,
    pub columns: &'static [Column],
    pub links: &'static [Link],
    /// What a role must have to create a row (§3.6).
    pub create: &'static str,
    /// What a role must have to read one.
    pub read: &'static str,
}

/// A column that can be written.
pub(super) struct Column {
    pub name: &'static str,
    pub holds: Holds,
}

/// What a column holds.
pub(super) enum Holds {
    /// So many UTF-16 units.
    Text(usize),
    /// The same, and a row must have it.
    Needed(usize),
    /// True or false.
    Flag,
    /// One of these numbers.
    Choice(&'static [i64]),
    /// Several of these numbers, as one text.
    Choices(&'static [i64]),
    /// A file in base64.
    Document,
}

/// A link to a row of another table.
pub(super) struct Link {
    /// Before `@odata.bind`; its case counts.
    pub name: &'static str,
    /// The column, which cannot be written itself.
    pub column: &'static str,
    pub to: Kind,
}

const fn column(name: &'static str, holds: Holds) -> Column {
    Column { name, holds }
}

const fn link(name: &'static str, column: &'static str, to: Kind) -> Link {
    Link { name, column, to }
}

use Holds::{Choice, Choices, Document, Flag, Needed, Text};

const STATES: &[i64] = &[0, 1, 2, 3, 4];
const STATUSES: &[i64] = &[1, 2, 3, 4, 5, 6, 7];
/// §3.1.
const CHANNELS: &[i64] = &[
    192_340_000,
    192_360_000,
    192_300_000,
    192_310_000,
    192_320_000,
    192_330_000,
    192_350_000,
    192_350_001,
    192_350_002,
    192_370_000,
    192_380_000,
    192_390_000,
    192_400_000,
    19_241_000,
    192_450_000,
    192_450_001,
];
/// §3.3.
const DATA_TYPES: &[i64] = &[192_350_000, 192_350_001, 192_350_100];

const WORK_ITEM: Table = Table {
    kind: Kind::WorkItem,
    entity: "msdyn_ocliveworkitem",
    set: "msdyn_ocliveworkitems",
    key: "activityid",
    columns: &[
        column("subject", Needed(200)),
        column("msdyn_title", Text(4000)),
        column("msdyn_ocliveworkitemid", Text(100)),
        column("description", Text(2000)),
        column("msdyn_conversationsummaryfield", Text(4000)),
        column("msdyn_channel", Choices(CHANNELS)),
        column("msdyn_customerlocale", Text(100)),
        column("msdyn_isoutbound", Flag),
        column("msdyn_thirdpartyconversation", Flag),
        column("prioritycode", Choice(&[0, 1, 2])),
        column("statecode", Choice(STATES)),
        column("statuscode", Choice(STATUSES)),
    ],
    links: &[
        link(
            "msdyn_liveworkstreamid_msdyn_ocliveworkitem",
            "msdyn_liveworkstreamid",
            Kind::Workstream,
        ),
        link(
            "msdyn_cdsqueueid_msdyn_ocliveworkitem",
            "msdyn_cdsqueueid",
            Kind::Queue,
        ),
        link(
            "msdyn_customer_msdyn_ocliveworkitem_contact",
            "msdyn_customer",
            Kind::Contact,
        ),
        link(
            "regardingobjectid_contact_msdyn_ocliveworkitem",
            "regardingobjectid",
            Kind::Contact,
        ),
    ],
    create: "prvCreateActivity",
    read: "prvReadActivity",
};

const WORKSTREAM: Table = Table {
    kind: Kind::Workstream,
    entity: "msdyn_liveworkstream",
    set: "msdyn_liveworkstreams",
    key: "msdyn_liveworkstreamid",
    columns: &[column("msdyn_name", Needed(100))],
    links: &[],
    create: "prvCreatemsdyn_liveworkstream",
    read: "prvReadmsdyn_liveworkstream",
};

const CONTEXT_ITEM: Table = Table {
    kind: Kind::ContextItem,
    entity: "msdyn_ocliveworkitemcontextitem",
    set: "msdyn_ocliveworkitemcontextitems",
    key: "msdyn_ocliveworkitemcontextitemid",
    columns: &[
        column("msdyn_name", Needed(100)),
        column("msdyn_value", Text(512)),
        column("msdyn_datatype", Choice(DATA_TYPES)),
        column("msdyn_isdisplayable", Flag),
        column("statecode", Choice(&[0, 1])),
        column("statuscode", Choice(&[1, 2])),
    ],
    links: &[link(
        "msdyn_ocliveworkitemid",
        "msdyn_ocliveworkitemid",
        Kind::WorkItem,
    )],
    create: "prvCreatemsdyn_ocliveworkitemcontextitem",
    read: "prvReadmsdyn_ocliveworkitemcontextitem",
};

const ELASTIC_CONTEXT_ITEM: Table = Table {
    kind: Kind::ElasticContextItem,
    entity: "msdyn_ocliveworkitemcontextitemelastic",
    set: "msdyn_ocliveworkitemcontextitemelastics",
    key: "msdyn_ocliveworkitemcontextitemelasticid",
    columns: &[
        column("msdyn_name", Needed(100)),
        column("msdyn_value", Text(4000)),
        column("msdyn_datatype", Choice(DATA_TYPES)),
        column("msdyn_isdisplayable", Flag),
        column("partitionid", Text(100)),
    ],
    links: &[link(
        "msdyn_ocliveworkitemid",
        "msdyn_ocliveworkitemid",
        Kind::WorkItem,
    )],
    create: "prvCreatemsdyn_ocliveworkitemcontextitemelastic",
    read: "prvReadmsdyn_ocliveworkitemcontextitemelastic",
};

const CONTACT: Table = Table {
    kind: Kind::Contact,
    entity: "contact",
    set: "contacts",
    key: "contactid",
    columns: &[
        column("firstname", Text(50)),
        column("lastname", Text(50)),
        column("fullname", Text(160)),
        column("emailaddress1", Text(100)),
        column("mobilephone", Text(50)),
        column("statecode", Choice(&[0, 1])),
        column("createdon", Text(30)),
    ],
    links: &[],
    create: "prvCreateContact",
    read: "prvReadContact",
};

const TRANSCRIPT: Table = Table {
    kind: Kind::Transcript,
    entity: "msdyn_transcript",
    set: "msdyn_transcripts",
    key: "msdyn_transcriptid",
    columns: &[column("msdyn_name", Text(100))],
    links: &[link(
        "msdyn_LiveWorkItemIdId",
        "msdyn_liveworkitemidid",
        Kind::WorkItem,
    )],
    create: "prvCreatemsdyn_transcript",
    read: "prvReadmsdyn_transcript",
};

const NOTE_COLUMNS: &[Column] = &[
    column("subject", Text(500)),
    column("notetext", Text(100_000)),
    column("isdocument", Flag),
    column("filename", Text(255)),
    column("mimetype", Text(256)),
    column("objecttypecode", Text(100)),
    column("documentbody", Document),
];

const NOTE: Table = Table {
    kind: Kind::Note,
    entity: "annotation",
    set: "annotations",
    key: "annotationid",
    columns: NOTE_COLUMNS,
    links: &[
        link("objectid_msdyn_ocliveworkitem", "objectid", Kind::WorkItem),
        link("objectid_msdyn_transcript", "objectid", Kind::Transcript),
        link("objectid_contact", "objectid", Kind::Contact),
    ],
    create: "prvCreateNote",
    read: "prvReadNote",
};

const QUEUE: Table = Table {
    kind: Kind::Queue,
    entity: "queue",
    set: "queues",
    key: "queueid",
    columns: &[column("name", Needed(200))],
    links: &[],
    create: "prvCreateQueue",
    read: "prvReadQueue",
};

/// The tables of an org.
pub(super) struct Tables(Vec<Table>);

impl Tables {
    pub fn new(profile: Profile) -> Self {
        Self(match profile {
            Profile::Product => vec![
                WORK_ITEM,
                WORKSTREAM,
                CONTEXT_ITEM,
                ELASTIC_CONTEXT_ITEM,
                CONTACT,
                TRANSCRIPT,
                NOTE,
                QUEUE,
            ],
            Profile::Page => vec![
                page::WORK_ITEM,
                WORKSTREAM,
                page::CONTEXT_ITEM,
                CONTACT,
                page::NOTE,
                QUEUE,
            ],
            Profile::Bare => vec![CONTACT, NOTE, QUEUE],
        })
    }

    /// The table of a set, case and all.
    pub fn by_set(&self, set: &str) -> Option<&Table> {
        self.0.iter().find(|table| table.set == set)
    }
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The name under which a link is read, such as `_msdyn_customer_value`.
    pub fn is_readable(&self, name: &str) -> bool {
        name == self.key
            || self.column(name).is_some()
            || self
                .links
                .iter()
                .any(|link| name == format!("_{}_value", link.column))
    }
}
