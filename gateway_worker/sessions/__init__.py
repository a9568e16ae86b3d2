"""One WhatsApp account each: its state, its mailbox of commands, its host process.

`manager` holds the sessions of this worker, `session` is one of them, `states` is the table of
allowed transitions, `changes` says what is committed together, and `ports` lists what sessions need
from the outside (hosts, rows, routes, snapshots); `app.py` brings the adapters.
"""
