"""Namespace `encrypt`: published keys, and the keys of others."""
