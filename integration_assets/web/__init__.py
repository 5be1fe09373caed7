"""The pages and the API: tenants manage their credentials, and see what their runs found.

`app` builds the application, `serving` serves it. Every route is declared in one table (`routes`), which says who may
ask it. May import everything below the commands but the sandbox; speaks to no other host itself.
"""
