"""Namespace `w`: properties of the service."""
