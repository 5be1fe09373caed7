"""Whose credentials a run uses, and whether they work.

`integrations` turns settings into connectors; `doctor` checks effect, not presence. May import `connectors`, `sync`,
`staging`, `config`, `errors` and `models`.
"""
