"""Runs: their state, how they plan, apply and undo, how they end and are announced.

`state` is plain data; `session` opens and closes it for Dagster; `finish` ends it. May import `ingest`, `checks` and
the rooms below them; never `assets`.
"""
