-- `row_id` is a name that DuckLake keeps for itself.
ALTER TABLE raw.internal_accounts RENAME row_id TO account_row;
