"""Damaged answers for the connectors: what `mutations` does to answers that `recorded` took, told by `stories`."""
