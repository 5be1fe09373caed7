"""Figures about the product: each printed by one command, with its goal, its seed and the versions it was made with.

    python -m integration_assets_tests.proofs.figures [name ...]

Every module here whose name begins with a letter, but for `base`, is a figure: it has `measure(seed)`, which yields
`base.Figure`s. A module that is added is registered by that.
"""
