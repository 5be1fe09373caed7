"""The parts of the sample data: words, CRM companies, people with their accounts, requests with their votes.

Everything is drawn from one seeded generator in a fixed order, so equal arguments give equal data. May import
`sandbox.canny` only.
"""
