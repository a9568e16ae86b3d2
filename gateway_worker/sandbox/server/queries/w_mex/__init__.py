"""Namespace `w:mex`: queries that are known by a number and answered in JSON."""
