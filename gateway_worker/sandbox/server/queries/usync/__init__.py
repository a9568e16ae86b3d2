"""Namespace `usync`: who is behind an address."""
