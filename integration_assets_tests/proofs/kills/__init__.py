"""Real processes killed at a request or at a named place, and what the next run makes of it."""
