-- Open deals of the CRM. Whether they were read at all says `raw.reads`: it has a row `deals` where they were.

-- grain: one open deal; key: deal_id
CREATE TABLE raw.crm_deals (
    deal_id VARCHAR,
    name VARCHAR,
    company_ids VARCHAR [],   -- of the CRM; a deal may have several
    stage VARCHAR,            -- the label people see
    amount VARCHAR,           -- exact, in `currency`
    currency VARCHAR,         -- null: that of the portal
    home_amount VARCHAR,      -- exact, as the CRM converts it to the currency of the portal
    close_date DATE
);
