"""Shares between machines, in the PostgreSQL of the registry: run locks, logs of calls, counts of tries.

Without a registry on PostgreSQL they are in files or in memory, for one machine. Knows configuration, errors and the
protocols of the connectors; neither Dagster nor the registry's tables of tenants.
"""
