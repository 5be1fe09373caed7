-- The registry of tenants, beside Dagster's database and not in it: both keep a table alembic_version.
CREATE DATABASE registry;
