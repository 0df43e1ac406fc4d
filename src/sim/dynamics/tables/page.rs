//! The tables in the words of the public page, as far as it names them; the form of the names is a guess (§0).

use super::Holds::{Needed, Text};
use super::{Kind, Table, column, link};

/// Subject, workstream, contact.
pub const WORK_ITEM: Table = Table {
    entity: "oc_liveworkitem",
    set: "oc_liveworkitems",
    key: "oc_liveworkitemid",
    columns: &[column("subject", Needed(200))],
    links: &[
        link("workstreamId", "workstreamid", Kind::Workstream),
        link("oc_customer_contact", "oc_customer", Kind::Contact),
    ],
    ..super::WORK_ITEM
};

pub const CONTEXT_ITEM: Table = Table {
    entity: "oc_liveworkitemcontextitem",
    set: "oc_liveworkitemcontextitems",
    key: "oc_liveworkitemcontextitemid",
    columns: &[
        column("oc_name", Needed(100)),
        column("oc_value", Text(512)),
    ],
    links: &[link(
        "oc_liveworkitemid",
        "oc_liveworkitemid",
        Kind::WorkItem,
    )],
    create: "prvCreateoc_liveworkitemcontextitem",
    ..super::CONTEXT_ITEM
};

pub const NOTE: Table = Table {
    links: &[link("objectid_oc_liveworkitem", "objectid", Kind::WorkItem)],
    ..super::NOTE
};
