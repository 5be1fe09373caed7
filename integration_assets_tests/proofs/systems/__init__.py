"""Every feedback system and every CRM: faults of each CRM beside the first, and each pair of two systems.

What a portal holds is read through the connector, whose reading the protocol suite checks against the look-alike.
"""
