"""Automation: the schedules, sensors and short jobs that start runs by themselves and tell people.

May import `assets`, `reporting`, `staging`, `tenants`, `connectors`, `config`, `errors` and Dagster.
"""
