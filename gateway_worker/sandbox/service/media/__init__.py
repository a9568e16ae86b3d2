"""Files that devices upload and others download: what is kept, and who may do what.

`store` keeps the bytes on disk, `tokens` says who may upload, `media` puts both and the fault rules
together. Everything here is ciphertext: the service has no keys.
"""
