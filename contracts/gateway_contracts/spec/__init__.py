"""The contract as documents that other languages and tools read, made from the models.

`catalog` lists the messages, `schemas` and `asyncapi` describe them, `definitions` is the topology
in RabbitMQ's own format. `gateway_contracts.export` writes them to files.
"""
