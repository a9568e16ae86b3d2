"""The local server that speaks the WhatsApp multidevice protocol.

A byte travels: `proxy` (CONNECT, the only way in) → TLS → `websocket` → `connection` (Noise) → a
stage: `pairing` for newcomers or `session` for companions that logged in (`login` decides) →
`queries` for what is asked of the service, `service.relay` for what is meant for others.

What it knows: pairing by QR and by code; login, refused logins and stream errors; prekeys with a
notice when they run low; user and device lookup; messages between devices with acks, receipts,
retries and a queue for those who are unavailable; presence, typing, blocking, privacy tokens;
unlinking from either side. What it does not know is refused at once and counted in `unknown`:
groups, media, app-state uploads, calls. What no local server can show is how the real one limits
and bans.
"""
