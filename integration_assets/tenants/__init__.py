"""Tenants: the credentials their runs use, whether those work, and the registry that keeps them.

`registry` keeps the tenants with their integrations and sealed secrets, `settings` says which settings a tenant's run
uses, `integrations` turns them into connectors; `connection_trials` checks effect, not presence. May import
`connectors`, `sync`, `staging`, `reporting`, `config`, `errors` and `models`.
"""
