-- Raw tables: what the two systems said, translated but not judged. Times are UTC without zone, ids are text.

CREATE SCHEMA IF NOT EXISTS raw;
CREATE SCHEMA IF NOT EXISTS resolved;
CREATE SCHEMA IF NOT EXISTS ranked;
CREATE SCHEMA IF NOT EXISTS sync;
CREATE SCHEMA IF NOT EXISTS ops;

-- grain: one board; key: board_id
CREATE TABLE raw.boards (
    board_id VARCHAR,
    name VARCHAR,
    request_count BIGINT
);

-- grain: one feature request of the source; key: request_id
CREATE TABLE raw.feature_requests (
    request_id VARCHAR,
    title VARCHAR,
    status VARCHAR,           -- canonical
    source_status VARCHAR,    -- the source's words
    board_id VARCHAR,
    board VARCHAR,
    category VARCHAR,
    details VARCHAR,
    url VARCHAR,
    tags VARCHAR [],
    score BIGINT,             -- votes as the source reports them
    author_id VARCHAR,
    created_at TIMESTAMP,
    status_changed_at TIMESTAMP
);

-- grain: one request of a board that is not asked for: known to exist, neither ranked nor written; key: request_id
CREATE TABLE raw.excluded_requests (
    request_id VARCHAR
);

-- grain: one request merged away; key: merged_request_id
CREATE TABLE raw.merge_aliases (
    merged_request_id VARCHAR,
    request_id VARCHAR        -- the request it was merged into
);

-- grain: one status change; key: change_id
CREATE TABLE raw.status_changes (
    change_id VARCHAR,
    request_id VARCHAR,
    source_status VARCHAR,
    changed_at TIMESTAMP
);

-- grain: one vote as the source gave it; key: vote_id
CREATE TABLE raw.votes (
    vote_id VARCHAR,
    request_id VARCHAR,       -- may be a merged or missing request
    voter_id VARCHAR,         -- null when the voter is gone
    created_at TIMESTAMP
);

-- grain: one person who votes or authors; key: voter_id
CREATE TABLE raw.voters (
    voter_id VARCHAR,
    email VARCHAR             -- as the source gave it; never leaves the staging store
);

-- grain: one membership; key: voter_id, account_id
CREATE TABLE raw.voter_accounts (
    voter_id VARCHAR,
    account_id VARCHAR
);

-- grain: one account of the feedback system; key: account_id
CREATE TABLE raw.accounts (
    account_id VARCHAR,
    name VARCHAR,
    domain VARCHAR,
    monthly_spend VARCHAR     -- the source's number as text
);

-- grain: one live company of the CRM; key: company_id
CREATE TABLE raw.crm_companies (
    company_id VARCHAR,
    name VARCHAR,
    domain VARCHAR,
    additional_domains VARCHAR [],
    arr VARCHAR,              -- raw text of the mapped property
    currency VARCHAR,         -- raw text of the mapped property
    lifecycle_stage VARCHAR,
    parent_id VARCHAR,
    merged_ids VARCHAR [],
    account_id VARCHAR,       -- raw text of the mapped property
    modified_at TIMESTAMP
);

-- grain: one contact that is a voter or an author; key: contact_id
CREATE TABLE raw.crm_contacts (
    contact_id VARCHAR,
    email VARCHAR,            -- lower-case; never leaves the staging store
    additional_emails VARCHAR [],
    primary_company_id VARCHAR
);

-- grain: one record of ours in the CRM, archived ones included; key: record_id
CREATE TABLE raw.crm_feature_requests (
    record_id VARCHAR,
    key VARCHAR,
    property_values MAP(VARCHAR, VARCHAR),   -- managed properties that are set
    archived BOOLEAN
);

-- grain: one label on one pair; key: record_id, target, target_id, label
CREATE TABLE raw.crm_links (
    record_id VARCHAR,
    target VARCHAR,           -- company | contact
    target_id VARCHAR,
    label VARCHAR             -- ours, or other:<...>
);

-- grain: one portal; key: environment
CREATE TABLE raw.crm_portals (
    environment VARCHAR,
    role VARCHAR,             -- target | other
    readable BOOLEAN,
    unreadable_reason VARCHAR,
    portal_id VARCHAR,
    kind VARCHAR,
    currency VARCHAR,
    time_zone VARCHAR,
    schema_json VARCHAR       -- the live schema, JSON of models.LiveSchema; null when not readable
);

-- grain: one row of the tenant's internal system; key: row_id
CREATE TABLE raw.internal_accounts (
    row_id VARCHAR,
    company_id VARCHAR,
    domain VARCHAR,
    arr VARCHAR,
    currency VARCHAR
);

-- grain: one input of one read; key: input
CREATE TABLE raw.reads (
    input VARCHAR,            -- feature_requests | votes | companies | contacts | crm_feature_requests | crm_schema
    as_of TIMESTAMP,          -- start of the read
    finished_at TIMESTAMP,
    rows_read BIGINT
);

-- grain: one record that could not be used or written in a run; nothing is dropped silently
CREATE TABLE sync.quarantine (
    run_id VARCHAR,
    stage VARCHAR,            -- raw_feature_requests | raw_votes | ... | crm_feature_requests
    kind VARCHAR,
    key VARCHAR,
    reason VARCHAR,
    seen_at TIMESTAMP
);
