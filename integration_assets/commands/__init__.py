"""Groups of commands, each in a module of its own, and what all commands share. May import everything; no logic."""
