"""What can be done with the phones and the service from outside, one module per ability.

A module lists its `OPERATIONS`; being there is all it takes to have routes, and methods of the
client once `python -m gateway_worker.sandbox.control.generate` has run.
"""
