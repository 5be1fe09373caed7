"""Whose credentials a run uses, and whether they work.

`registry` keeps the tenants with their integrations and sealed secrets, `settings` says which settings a tenant's run
uses, `integrations` turns them into connectors; `trying` checks effect, not presence. May import
`connectors`, `sync`, `staging`, `reporting`, `config`, `errors` and `models`.
"""
