"""Namespace `w:m`: the hosts of files."""
