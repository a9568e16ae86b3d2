"""Namespace `usync`: who has an address."""
