"""Reports for people: the run summary, the Slack message, the terminal, progress.

Reads the staging store and what it is handed; decides nothing and changes nothing but the run's own records in `ops`.
May import `staging`, `connectors`, `sql`, `models`, `errors` and `config`.
"""
