-- What a tenant maps of companies beside their revenue; null where nothing is mapped.
ALTER TABLE raw.crm_companies ADD COLUMN segments MAP(VARCHAR, VARCHAR);
ALTER TABLE raw.crm_companies ADD COLUMN owner VARCHAR;
ALTER TABLE raw.crm_companies ADD COLUMN renewal_date VARCHAR;

-- grain: one person whom companies belong to; key: owner_id
CREATE TABLE raw.crm_owners (
    owner_id VARCHAR,
    name VARCHAR              -- null where the CRM has none; never an address
);
