"""Numbers about the product, each beside its goal."""
