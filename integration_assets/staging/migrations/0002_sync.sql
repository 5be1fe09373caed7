-- What is planned for, and was done to, the CRM. Times are UTC without zone.

-- grain: one environment; key: environment
CREATE TABLE sync.portals (
    environment VARCHAR,
    portal_id VARCHAR,        -- the only portal this store's plans may be applied to
    kind VARCHAR,
    origin VARCHAR,           -- configured | learnt
    pinned_at TIMESTAMP
);

-- grain: one plan; key: plan_id
CREATE TABLE sync.plans (
    plan_id VARCHAR,
    run_id VARCHAR,
    hash VARCHAR,             -- SHA-256 over operations, before-values, portal and versions
    kind VARCHAR,             -- sync | undo
    portal_id VARCHAR,
    mapping_version VARCHAR,
    created_at TIMESTAMP,
    status VARCHAR,           -- planned | held | approved | applying | interrupted | applied
    held_reasons VARCHAR [],
    header VARCHAR,           -- JSON of the plan without its operations
    started_at TIMESTAMP,
    finished_at TIMESTAMP
);

-- grain: one operation of a plan; key: plan_id, seq
CREATE TABLE sync.plan_operations (
    plan_id VARCHAR,
    seq BIGINT,               -- order of application
    action VARCHAR,           -- create | update | retire | link | unlink
    key VARCHAR,
    record_id VARCHAR,        -- null while the record is to be created
    target VARCHAR,           -- company | contact for link and unlink
    target_id VARCHAR,
    before_values MAP(VARCHAR, VARCHAR),
    after_values MAP(VARCHAR, VARCHAR),
    before_labels VARCHAR [], -- all labels of the pair when the plan was made
    after_labels VARCHAR [],  -- link: all labels to write; unlink: the labels to take off
    moved BOOLEAN             -- the before-values are no longer there: left out
);

-- grain: one company with a vote when a plan was made; key: plan_id, company_id
CREATE TABLE sync.plan_companies (
    plan_id VARCHAR,
    company_id VARCHAR,
    arr DECIMAL(38, 2)
);

-- grain: one approval; key: plan_id, approved_at
CREATE TABLE sync.approvals (
    plan_id VARCHAR,
    hash VARCHAR,
    approved_by VARCHAR,
    approved_at TIMESTAMP
);

-- grain: one write of one run; key: ledger_id. The intent is committed before the request is sent.
CREATE TABLE sync.ledger (
    ledger_id BIGINT,
    run_id VARCHAR,
    plan_id VARCHAR,
    portal_id VARCHAR,
    action VARCHAR,
    key VARCHAR,
    record_id VARCHAR,        -- known for a create once its answer was read
    target VARCHAR,
    target_id VARCHAR,
    before_values MAP(VARCHAR, VARCHAR),
    after_values MAP(VARCHAR, VARCHAR),
    before_labels VARCHAR [],
    after_labels VARCHAR [],
    intent_at TIMESTAMP,
    outcome VARCHAR,          -- null until the answer was read; verified | rejected | unknown
    reason VARCHAR,
    outcome_at TIMESTAMP
);

-- grain: one managed field of one record; key: portal_id, key, field. The last value read back after a write.
CREATE TABLE sync.field_bases (
    portal_id VARCHAR,
    key VARCHAR,
    field VARCHAR,
    value VARCHAR,            -- "" when unset
    verified_at TIMESTAMP
);

-- grain: one good run; key: plan_id. What the guard compares the next run with.
CREATE TABLE sync.baselines (
    plan_id VARCHAR,
    portal_id VARCHAR,
    recorded_at TIMESTAMP,
    requests BIGINT,
    votes BIGINT,
    companies BIGINT,
    voted_companies BIGINT,
    voted_arr DECIMAL(38, 2),
    unmatched_votes BIGINT
);
