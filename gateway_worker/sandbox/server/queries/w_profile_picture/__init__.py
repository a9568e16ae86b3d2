"""Namespace `w:profile:picture`: pictures of people."""
