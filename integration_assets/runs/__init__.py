"""What a run is and what becomes of it: its state, how it plans, applies and undoes, how it ends and is announced.

`state` is plain data; `session` opens and closes it for Dagster; `finish` ends it. May import `ingest`, `checks` and
the rooms below them; never `assets`.
"""
