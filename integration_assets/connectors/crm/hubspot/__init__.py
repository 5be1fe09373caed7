"""HubSpot: the CRM API of one portal, spoken in the date-versioned form.

`endpoints` says where to call and how much one call may carry, `status_rules` what each HTTP status means, `wire` what
the answers look like, `error_answers` what the refusals do, `ids` what a portal calls our object and our labels;
`reads`, `company_changes`, `exports`, `writes` and `schema` do the work, `translate` gives records their meaning,
`connector.HubSpotCrm` is the whole as `connectors.crm.base.Crm`, `spec` what the rest of the product knows of it.
Imports `models`, `errors`, the modules of `connectors` around the outgoing client, and `connectors.crm.base`. Facts
about the API come from HubSpot's public reference, https://developers.hubspot.com/docs/api-reference/latest, unless a
comment names another source.
"""
