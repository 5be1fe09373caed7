"""From vote to company, and from companies to a ranking: e-mail address, domain, company, ARR, rank.

Pure functions for what is decided per address, host or figure; SQL for everything set-based. Reads and writes tables of
a DuckDB connection it is given, inside the caller's transaction; opens nothing, and touches neither network nor files
but for the analyst's overrides. May import `models`, `errors`, `config` and `sql`.
"""
