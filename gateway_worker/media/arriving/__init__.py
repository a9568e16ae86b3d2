"""Files that arrive with messages: fetched from WhatsApp, decrypted, checked, and kept in S3.

    message ──► intake ──► row in `media`, committed with the message's event (state `pending`)
                             │
    queue ◄──────────────────┘ (also what a former owner or an earlier life has left pending)
      ▼
    media host ──► decryption ──► object store ──► row and event `media.ready` or `media.failed`

Of a file only a few pieces are in memory, and nothing of it is on disk. It shows under its key when
all its hashes have held and not before.
"""
