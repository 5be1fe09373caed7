"""Writing into the CRM: plan, guard, apply, verify, and the ledger that remembers it.

The room is pure but for two things it is handed: a DuckDB connection to the staging store (in autocommit) and a `Crm`.
It may import `connectors.crm.base`, `staging.transactions`, `sql`, `models`, `errors` and `config`; it knows neither
Dagster nor HTTP.

The way through it: `feature_request_object` says what our object is; `drift` and `portal` say whether a portal may be
written to; `setup` creates what is missing; `plan` compares and saves the changes; `guard` holds what looks wrong;
`apply` writes, `verify` reads back, `ledger` keeps both intent and outcome.
"""
