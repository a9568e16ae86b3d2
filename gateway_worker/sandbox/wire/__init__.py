"""The bytes on the wire: addresses, stanzas and their binary form, Noise, certificates.

Nothing here knows of accounts or of delivery; the server and the phones are built on it.
"""
