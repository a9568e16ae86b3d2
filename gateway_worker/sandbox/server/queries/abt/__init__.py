"""Namespace `abt`: experiments of the service."""
