"""Tests of the doctor: a healthy installation, a seeded fault for each check, and the checks by themselves."""
