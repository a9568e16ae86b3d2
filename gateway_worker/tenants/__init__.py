"""Who has sent a command, and what they may do.

    AMQP message ──► `Verifier`: user-id or token ──► `Grant` ──► compared with each command
The sender's identity is verified where a message comes in, before its body is read; the grant goes
with the delivery, and there is one place where it is compared with what the body asks for. Whose a
session is stands in its name (`gateway_contracts.tenants`), so nothing has to be looked up. Workers
that send a command on say for whom it was verified in a header that only they can write.
"""
