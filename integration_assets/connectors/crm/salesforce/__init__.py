"""Salesforce: the REST API of one org, at one pinned version.

`names` says what our object and its fields are called in an org, `field_types` which types they have, `metadata` makes
the files that create them and `deploy` sends those; `endpoints` says where to call and how much one call may carry,
`error_codes` and `status_rules` what a refusal means, `wire` what the answers look like, `tokens` how to sign in,
`session` makes the calls; `reads`, `deals`, `writes`, `links` and `schema` do the work, `translate` gives records their
meaning, `connector.SalesforceCrm` is the whole as `connectors.crm.base.Crm`. Imports `models`, `errors`, the modules of
`connectors` around the outgoing client, and `connectors.crm.base`. Facts about the API come from Salesforce's public
reference, https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/, unless a comment names another
source.
"""
