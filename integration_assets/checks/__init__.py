"""The gate: what must hold before anything is written into the CRM. One file per kind of check.

Checks are functions from the staging store to a result; they change nothing and may be asked as often as one likes. May
import `sync`, `resolution`, `reporting`, `staging`, `sql` and everything below; only `asset_checks` knows Dagster.
"""
