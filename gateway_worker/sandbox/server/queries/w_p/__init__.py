"""Namespace `w:p`: keep-alive."""
