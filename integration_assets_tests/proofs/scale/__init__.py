"""Many tenants on several workers: processes of one machine with a home each and one PostgreSQL between them."""
