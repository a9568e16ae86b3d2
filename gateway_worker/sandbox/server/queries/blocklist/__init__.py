"""Namespace `blocklist`: who is blocked."""
