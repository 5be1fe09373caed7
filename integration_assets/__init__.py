"""Feature requests and votes, ranked by companies and revenue, and written safely into the CRM."""

__version__ = "0.1.0"
