"""Queries (`iq`) of logged-in companions: one module per family, one table for all.

A query is answered with a result where the service would answer with something that a client can go
on with, even if that is empty; everything else is refused and recorded by the caller.
"""
