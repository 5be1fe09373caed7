-- What companies hold in our properties of theirs; null where they are not kept (`INTEGRATION_ASSETS_COMPANY_ROLLUPS`).
ALTER TABLE raw.crm_companies ADD COLUMN rollups MAP(VARCHAR, VARCHAR);
