"""The sandbox: a local server that speaks the WhatsApp multidevice protocol, with simulated phones.

The real, unmodified client library pairs with it, encrypts, sends and receives, on one machine and
with neither a phone nor the internet. What is real and what is not: handshakes, keys, sessions,
stanzas, receipts, retries and queues are the protocol's own, as far as it was established by
experiment; the service's limits, policies and moods are not simulated.

**In a test** (Python, same event loop)

    async with Sandbox.open(SandboxSettings()) as sandbox:
        shop = await sandbox.add_phone("4915550001", push_name="Corner Shop")
        ada = await sandbox.add_phone("4915550002", push_name="Ada")
        start_worker(env=sandbox.worker_env)     # SANDBOX_PROXY_URL, _CA_FILE, _ROOT_KEY
        await shop.scan(qr_text)                 # or shop.enter_code("ABCD-EFGH")
        await ada.send_text(shop.number, "Are you open?")
        answer = await ada.next_message(timeout=5)
        await ada.read(answer)
        assert sandbox.egress_attempts == ()

A phone can be left alone with scripts: `ada.on_message(auto_reply("ok"))`, `auto_read()`. What
shall go wrong is said by `sandbox.faults`: `set(number, Faults(missing_acks=1))`, `drop_link`,
`end_stream`, `service_down`; `inject` sends a companion any stanza, also one that no client knows.
Queries are refused by name and status, for all or about one person:
`Faults(refused_queries=(QueryRefusal(query="encrypt/key", status=429, times=1, about="49…"),))`.

**As a process** (`gateway-worker sandbox --control-port 8700 --phone 4915550001:Shop`)

It prints one JSON line when it is ready: `proxy_url`, `ca_file`, `root_key` for the worker and
`control_url` for you. The control API (JSON; errors are problem+json with a `code`):

    GET  /health /worker-env /egress-attempts /phones /phones/N
    POST /phones                      {number?, push_name, lid?}
    POST /phones/N/scan               {qr}
    POST /phones/N/code               {code, timeout_seconds}
    DEL  /phones/N/companions/D
    POST /phones/N/messages           {to, text, reply_to?, mentions}
    PUT  /phones/N/messages/ID        {text}         DEL revokes; POST …/reactions {emoji}
    POST /phones/N/read  /played      {message_ids}
    GET  /phones/N/inbox  /own-messages  /receipts  /problems   ?since=0&timeout_seconds=20
    PUT  /phones/N/blocked/CONTACT    DEL unblocks
    PUT  /phones/N/script             {auto_read, auto_reply, quote, after_seconds}
    PUT  /phones/N/faults?device=D    see `hub.faults.Faults`; DEL ends them
    POST /phones/N/disconnect         {stream?, device?}
    POST /phones/N/stanza             {tag, attrs, children | text | data, device?}
    PUT  /service                     {reachable}

`control.client.SandboxClient` is the typed client of all that; `pytest_plugin` has the fixtures.

**How it is built**: `wire` the bytes, `server` the connections, `hub` the service's memory,
`signal` the cryptography of sessions, `phones` device 0 of each account, `control` the HTTP API. It
listens on 127.0.0.1 only, refuses and records every request for another host, and does not start
when ENVIRONMENT is production.
"""
