"""The service's memory: accounts, devices, published keys, waiting stanzas, faults.

It knows nothing of sockets. Connections and simulated phones hand stanzas in and get stanzas out;
`interface` is all that they may rely on.
"""
