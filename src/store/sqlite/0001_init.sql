-- Rows are appended by sequence and deduplicated by small indexes; bodies are written once, updates touch small rows.
-- Times are milliseconds since 1970, UTC.

-- What the world was told of the beginning and the end of handoffs: how many were accepted, and how many ended for which reason.
CREATE TABLE ledger (entry TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE connection (
    name TEXT PRIMARY KEY, desk TEXT NOT NULL, settings TEXT NOT NULL, sealed BLOB NOT NULL,
    gate TEXT NOT NULL DEFAULT 'open', gate_why TEXT, version INTEGER NOT NULL DEFAULT 1, saved_ms INTEGER NOT NULL
);

CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY, event_key BLOB NOT NULL, body_hash BLOB NOT NULL, kind TEXT NOT NULL,
    received_ms INTEGER NOT NULL, exchange TEXT NOT NULL, routing_key TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL,
    -- Only of what the rep is to get: whose it is, what became of it, and when it is tried again.
    session TEXT, place INTEGER, generation INTEGER NOT NULL DEFAULT 1, tries INTEGER NOT NULL DEFAULT 0, due_ms INTEGER, applied_ms INTEGER
);
CREATE UNIQUE INDEX inbox_event ON inbox (event_key);
CREATE INDEX inbox_words ON inbox (applied_ms) WHERE applied_ms IS NOT NULL AND length(body) > 0;
CREATE INDEX inbox_applied ON inbox (applied_ms) WHERE applied_ms IS NOT NULL;
CREATE INDEX inbox_waiting ON inbox (session, seq) WHERE session IS NOT NULL AND applied_ms IS NULL;

CREATE TABLE handoff (
    k INTEGER PRIMARY KEY, id BLOB NOT NULL, event_key BLOB NOT NULL, inbox INTEGER NOT NULL REFERENCES inbox,
    connection TEXT NOT NULL, desk TEXT, session TEXT NOT NULL, channel TEXT NOT NULL,
    conversation_key BLOB NOT NULL, opening_key BLOB NOT NULL,
    progress TEXT NOT NULL, state TEXT NOT NULL, status TEXT NOT NULL, why TEXT, step TEXT, phase TEXT NOT NULL DEFAULT 'ready',
    generation INTEGER NOT NULL, failures INTEGER NOT NULL DEFAULT 0, renewals INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER, deadline_ms INTEGER NOT NULL, accepted_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,
    conversation TEXT, cursor TEXT, sequence INTEGER NOT NULL DEFAULT 0, last_reply_ms INTEGER, last_inbound_ms INTEGER,
    contact_place INTEGER, choices TEXT,
    -- Since when the contact waits for a first rep, and whether the desk said that it can route them to nobody.
    waits_ms INTEGER, unroutable INTEGER NOT NULL DEFAULT 0,
    duplicates INTEGER NOT NULL DEFAULT 0, all_tried INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 1,
    -- The trace context with which its escalation came; without one, it is derived from the conversation's key.
    traceparent TEXT, tracestate TEXT,
    -- When the contact's words were deleted, and when our copies of files were.
    emptied_ms INTEGER, files_ms INTEGER
);
CREATE UNIQUE INDEX handoff_id ON handoff (id);
CREATE UNIQUE INDEX handoff_event ON handoff (event_key);
CREATE INDEX handoff_due ON handoff (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX handoff_session ON handoff (session);
CREATE INDEX handoff_conversation ON handoff (conversation) WHERE conversation IS NOT NULL;
CREATE INDEX handoff_status ON handoff (status, k);
CREATE INDEX handoff_inbox ON handoff (inbox);
CREATE INDEX handoff_words ON handoff (changed_ms) WHERE status = 'closed' AND due_ms IS NULL AND emptied_ms IS NULL;
CREATE INDEX handoff_files ON handoff (changed_ms) WHERE status IN ('closed', 'dead') AND due_ms IS NULL AND files_ms IS NULL;
CREATE INDEX handoff_over ON handoff (changed_ms) WHERE status IN ('closed', 'dead') AND due_ms IS NULL AND files_ms IS NOT NULL;
CREATE INDEX handoff_step ON handoff (step) WHERE status = 'due';
CREATE INDEX handoff_waits ON handoff (waits_ms) WHERE waits_ms IS NOT NULL;
CREATE INDEX handoff_calling ON handoff (k) WHERE phase = 'calling';

-- Whose handoff it is, by keyed digests: to find a contact without naming anybody.
CREATE TABLE person (digest BLOB NOT NULL, handoff INTEGER NOT NULL, PRIMARY KEY (digest, handoff)) WITHOUT ROWID;
CREATE INDEX person_of ON person (handoff);

CREATE TABLE attempt (
    k INTEGER PRIMARY KEY, handoff INTEGER NOT NULL REFERENCES handoff, generation INTEGER NOT NULL, step TEXT NOT NULL,
    number INTEGER NOT NULL, started_ms INTEGER NOT NULL, took_ms INTEGER, outcome TEXT, code TEXT, http_status INTEGER,
    error TEXT, request_id TEXT, worker TEXT NOT NULL
);
CREATE INDEX attempt_of ON attempt (handoff, k);

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY, handoff INTEGER, message_id TEXT NOT NULL, destination TEXT NOT NULL, routing_key TEXT NOT NULL,
    kind TEXT NOT NULL, correlation TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, sequence INTEGER, entry TEXT,
    stored_ms INTEGER NOT NULL, ready_ms INTEGER, confirmed_ms INTEGER, tries INTEGER NOT NULL DEFAULT 0, problem TEXT
);
CREATE UNIQUE INDEX outbox_message ON outbox (message_id);
CREATE INDEX outbox_open ON outbox (handoff, seq) WHERE confirmed_ms IS NULL;
CREATE INDEX outbox_next ON outbox (seq) WHERE confirmed_ms IS NULL;
CREATE INDEX outbox_kind ON outbox (destination, ready_ms, stored_ms) WHERE confirmed_ms IS NULL;
CREATE INDEX outbox_of ON outbox (handoff, seq);

-- What was set aside: a handoff, something for a rep, or a delivery that nobody can process.
CREATE TABLE dead (
    k INTEGER PRIMARY KEY, message_id TEXT NOT NULL, about TEXT NOT NULL, handoff INTEGER, inbox INTEGER, generation INTEGER NOT NULL,
    class TEXT NOT NULL, code TEXT NOT NULL, step TEXT NOT NULL, reason TEXT NOT NULL, cause TEXT NOT NULL, http_status INTEGER,
    connection TEXT, desk TEXT, session TEXT, attempts INTEGER NOT NULL, first_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open', state_ms INTEGER, state_by TEXT,
    -- Only of a delivery: the bytes of all others are in the inbox.
    exchange TEXT, routing_key TEXT, headers TEXT, body BLOB
);
CREATE UNIQUE INDEX dead_message ON dead (message_id);
CREATE INDEX dead_state ON dead (state, k);
CREATE INDEX dead_connection ON dead (connection, state, k);
CREATE INDEX dead_code ON dead (code, state, k);
CREATE INDEX dead_cause ON dead (cause, state, k);
CREATE INDEX dead_session ON dead (session, k) WHERE session IS NOT NULL;
CREATE INDEX dead_handoff ON dead (handoff, generation) WHERE handoff IS NOT NULL;
CREATE INDEX dead_at ON dead (at_ms);
CREATE INDEX dead_inbox ON dead (inbox) WHERE inbox IS NOT NULL;

CREATE TABLE job (
    k INTEGER PRIMARY KEY, id TEXT NOT NULL, key TEXT, action TEXT NOT NULL, who TEXT NOT NULL, asked TEXT NOT NULL,
    rate INTEGER, canary INTEGER NOT NULL, proven INTEGER NOT NULL DEFAULT 0, made_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL,
    state TEXT NOT NULL, why TEXT, ended_ms INTEGER
);
CREATE UNIQUE INDEX job_id ON job (id);
CREATE UNIQUE INDEX job_key ON job (key) WHERE key IS NOT NULL;
CREATE INDEX job_open ON job (k) WHERE ended_ms IS NULL;

CREATE TABLE job_item (
    job INTEGER NOT NULL, position INTEGER NOT NULL, letter INTEGER NOT NULL, outcome TEXT, says TEXT, at_ms INTEGER,
    -- What a replayed letter goes on as.
    handoff INTEGER, inbox INTEGER,
    PRIMARY KEY (job, position)
) WITHOUT ROWID;
CREATE INDEX job_item_left ON job_item (job, position) WHERE outcome IS NULL;

CREATE TABLE audit (
    k INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, about TEXT NOT NULL, handoff INTEGER
);
CREATE INDEX audit_of ON audit (handoff) WHERE handoff IS NOT NULL;
