"""Namespace `status`: what contacts are shown for a day."""
