"""Namespace `privacy`: settings, and tokens for contacts."""
