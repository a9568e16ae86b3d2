"""Namespace `md`: the devices of the account."""
