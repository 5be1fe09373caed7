"""Look-alikes of the outside systems on loopback, with sample data: for `demo`, for trying things out, and for tests.

They follow the documented contracts strictly: what the real API refuses, they refuse. `canny`, `hubspot`, `slack` and
`internal` (a billing system of a tenant's own) are the systems, `lookalike` what they share, `sample_data` what they
hold, `server` all of it served together. This room imports nothing of the product but `models`.
"""
