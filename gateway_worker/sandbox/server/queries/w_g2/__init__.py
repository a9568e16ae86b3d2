"""Namespace `w:g2`: groups."""
