"""What a developer gets beside the worker: real services on one machine, and the demonstration.

Nothing in production imports this package. It stands above the composition root, so it may start
the whole worker; the worker knows nothing about it.
"""
