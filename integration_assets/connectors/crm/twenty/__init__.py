"""Twenty: the record and metadata APIs of one workspace, of versions 1.10 and 2.x.

`names` says what our object, its fields and its votes are called there, `endpoints` where to call and how much one
call may carry, `status_rules` what each HTTP status means, `wire` what the answers look like, `values` what a value of
each kind is there; `metadata`, `schema`, `reads`, `deals` and `writes` do the work, `connector.TwentyCrm` is the whole
as `connectors.crm.base.Crm`. Imports `models`, `errors`, the modules of `connectors` around the outgoing client, and
`connectors.crm.base`.

Facts about the API were measured on running servers, versions 1.10, 2.21 and 2.31, or come from
https://docs.twenty.com and the source at https://github.com/twentyhq/twenty. An answer's envelope differs between
versions that call themselves alike, so that it is told by its shape and never by a version.
"""
