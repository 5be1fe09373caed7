"""A Dagster project that loads the feature requests, and builds on their ranking."""
