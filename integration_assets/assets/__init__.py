"""Dagster wiring only, a file per stage in flow order: `raw`, `resolved`, `ranked`, `crm`, `summary`.

Beside them stand the gate's asset checks, the jobs, and what Dagster shows (metadata, columns, lineage, charts). An
asset opens what it needs through the run session, calls one function of a room below, and describes what it made.
Assets hand over through the staging store, never through an IO manager. May import `runs` and the rooms below it.
"""
