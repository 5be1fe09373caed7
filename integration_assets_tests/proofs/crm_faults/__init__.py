"""Faults of every CRM beside the first: the same ones for each, by the same registry.

What a portal holds is read through the connector, whose reading the protocol suite checks against the look-alike.
"""
