"""Signal sessions as WhatsApp uses them: the cryptography of the simulated phones.

A phone of the sandbox is device 0 of its account, so it must be able to open and answer end-to-end
encrypted sessions with the real library. This package is that and nothing more: Curve25519 keys
and XEdDSA signatures (`keys`, `xeddsa`), the key derivations (`kdf`), the two message formats
(`messages`), the key agreement (`x3dh`), the double ratchet (`ratchet`) and the book of sessions a
device keeps (`sessions`); for groups the formats (`group_messages`) and the book of sender keys
(`sender_keys`). It does no I/O and knows no stanza, service or phone.

It is written for throw-away keys on a developer's machine: correct and quick, not hardened against
side channels.
"""
