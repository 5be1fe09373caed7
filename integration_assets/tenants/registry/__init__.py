"""The registry: tenants, their users, the two kinds of integration with their secrets, sessions, and the audit trail.

`database` opens it, `repository` is the one way to a tenant's integrations, `directory` to tenants and users, `login`
to sessions; `vault` and `keys` keep the secrets. Knows neither Dagster, nor HTTP, nor DuckDB: may import `config`,
`errors`, `connectors.redaction` and, for names and folders of tenants, `staging.store`.
"""
