"""CRMs: where the company's customers live, and where verified feature-request records are written."""
