"""What several machines share in the PostgreSQL of the registry: run locks and logs of calls.

Without a registry on PostgreSQL they are in files, for one machine. Knows configuration, errors and the protocols of
the connectors; neither Dagster nor the registry's tables of tenants.
"""
