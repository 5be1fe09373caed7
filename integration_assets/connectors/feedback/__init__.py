"""Feedback systems: where feature requests and votes are collected."""
