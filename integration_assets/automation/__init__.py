"""What starts runs by itself: schedules. May import `assets`, `tenants`, `config`, `errors` and Dagster."""
