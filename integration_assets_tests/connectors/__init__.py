"""Tests of the outgoing client and of every connector."""
