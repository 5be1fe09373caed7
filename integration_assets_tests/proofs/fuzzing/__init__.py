"""Damaged answers for the connectors: what `damage` does to answers that `recorded` took, told by `stories`."""
