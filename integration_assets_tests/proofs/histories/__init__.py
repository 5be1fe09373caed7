"""Random histories of people, source, CRM and network, and what must hold after each."""
