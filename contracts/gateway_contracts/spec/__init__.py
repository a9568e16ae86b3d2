"""The contract as documents that other languages and tools read, made from the models.

`catalog` lists the messages, `parts` are the definitions of all that they are made of, `schemas`
spreads these over documents that refer to each other, `asyncapi` refers to them, `page` is what
people read of both, and `definitions` is the topology in RabbitMQ's own format.
`gateway_contracts.export` writes them to files.
"""
