"""What starts runs by itself, and what tells people: schedules, sensors, and the short jobs behind them.

May import `assets`, `reporting`, `staging`, `tenants`, `connectors`, `config`, `errors` and Dagster.
"""
