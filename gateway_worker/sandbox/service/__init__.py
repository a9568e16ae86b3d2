"""The service: who exists, what they published, how stanzas go from one to the other.

It knows nothing of sockets. Connections and simulated phones hand stanzas in and get stanzas out.
Stanzas are built as a client would build them; what happens to them on the way is what the real
service does, and what the rules in `faults` say.
"""
