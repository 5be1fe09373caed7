"""A tenant's own system, described by configuration only: endpoints, a way to authenticate, and mappings.

`description` says what may be configured, `paths` is the little language of its mappings, `credentials` authenticates,
`paging` goes from one request to the next, `rows` makes canonical rows, `connector` reads. May import what `connectors`
may.
"""
