"""One WhatsApp account each: its state, its mailbox of commands, its host process.

`session/` is one of them: the facade, its state machine, its host. `inbound/` records what arrives,
`store/` keeps its device store and the copies of that, and `ownership/` decides which sessions are
this worker's: `ownership/manager` holds them. `changes` says what is committed together, `ports`
lists what sessions need from the outside, and `peer_messages` is what workers send each other;
`app.py` brings the adapters.
"""
