"""Namespace `w:qr`: links to people."""
