"""A tenant's own system, described by configuration only. No such system is supported yet."""
