"""Fetches files by URL without letting whoever wrote the URL reach what only the worker can.

`urls` reads a URL strictly, `addresses` knows which addresses are public, `permissions` what the
operator has set, `resolving` finds a name's addresses, and `fetcher` connects to one of exactly
those that were checked, again for every redirect.
"""
