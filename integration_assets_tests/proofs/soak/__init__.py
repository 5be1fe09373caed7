"""Two simulated weeks of many tenants: everything that can happen to an installation, one thing after the other."""
