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
        await ada.send_media(shop.number, MediaDraft(kind=MediaKind.IMAGE, data=jpeg))
        club = ada.groups.create("Club", [shop.number])
        await ada.send_text(club.jid, "Are you all here?")
        assert sandbox.egress_attempts == ()

A phone can be left alone with scripts: `ada.on_message(auto_reply("ok"))`, `auto_read()`. What
shall go wrong is said by `sandbox.faults`: `add(Rule(id="lost", point=Point.MESSAGE, who=…,
effect=Drop(), times=1))` for any rule, `set(number, Faults(missing_acks=1))` in short.
`sandbox.connections` ends connections (`drop`, `end`), sends a companion any stanza as the service
does and keeps it until it is confirmed (`push`), or as it stands, also one that no client knows
(`inject`); `sandbox.service_down()` makes the whole service vanish. Queries are refused by name and
status, for all or about one person:
`Faults(refused_queries=(QueryRefusal(query="encrypt/key", status=429, times=1, about="49…"),))`.

**As a process** (`gateway-worker sandbox --control-port 8700 --phone 4915550001:Shop`)

With `--lazy-phones`, phones that nobody watches acknowledge messages at once and decrypt them when
somebody looks, which halves the work under load.

It prints one JSON line when it is ready: `proxy_url`, `ca_file`, `root_key` for the worker and
`control_url` for you. The control API (JSON; every error is a PROBLEM as
`application/problem+json`, to be told by its `code`):

    GET  /health                                        200 HEALTH
    GET  /worker-env                                    200 ENV
    GET  /egress-attempts                               200 {attempts: [{method, target}]}
    GET  /phones                                        200 {phones: [PHONE]}
    POST /phones {number?, push_name, lid?, hides_number}   201 PHONE
    GET  /phones/N                                      200 PHONE
    PATCH /phones/N {push_name}                         200 PHONE
    POST /phones/N/scan {qr}                            201 LINKED
    POST /phones/N/code {code, timeout_seconds}         201 LINKED
    DELETE /phones/N/companions/D                       204
    POST /phones/N/messages {to, text, reply_to?, mentions}   201 {message_id}
    POST /phones/N/media DRAFT                          201 {message_id}
    GET  /phones/N/media/ID                             200 {message_id, mime_type, data}
    POST /phones/N/content {to, content, reply_to?, mentions}   201 {message_id}
    GET  /phones/N/content/ID                           200 CONTENT
    PUT  /phones/N/messages/ID {text}                   200 {message_id}
    DELETE /phones/N/messages/ID                        200 {message_id}  (deleted for everyone)
    POST /phones/N/messages/ID/reactions {emoji}        201 {message_id}
    POST /phones/N/polls {to, question, options, selectable_count}  201 {message_id}
    POST /phones/N/messages/ID/votes {options}          201 {message_id}
    POST /phones/N/messages/ID/comments {text}          201 {message_id}  (on an announcement)
    POST /phones/N/messages/ID/answers {response, extra_guests}   201 {message_id}  (to an event)
    PUT  /phones/N/secrets {given}                      204
    GET  /phones/N/messages/ID/choice                   200 {options}  (of a vote, by its id)
    POST /phones/N/channels {followers, name, description}  201 {channel}
    POST /phones/N/channels/CHANNEL/posts {text}        201 {message_id}
    PUT  /phones/N/channels/CHANNEL/posts/ID {text}     200 {message_id}
    DELETE /phones/N/channels/CHANNEL/posts/ID          200 {message_id}
    POST /phones/N/history {kind, progress, external, chats, made_chats, made_messages}   201 {size}
    POST /phones/N/read {message_ids}                   204
    POST /phones/N/played {message_ids}                 204
    GET  /phones/N/inbox?since=0&timeout_seconds=20     200 {items: [MESSAGE], next}
    GET  /phones/N/own-messages?since&timeout_seconds   200 {items: [MESSAGE], next}
    GET  /phones/N/receipts?since&timeout_seconds       200 {items: [RECEIPT], next}
    GET  /phones/N/handling-errors?since&timeout_seconds   200 {items: [{where, error}], next}
    POST /phones/N/typing {to, state}                   204
    POST /phones/N/calls {to, video, group?}            201 CALL
    GET  /phones/N/calls/ID                             200 CALL
    DELETE /phones/N/calls/ID?reason=timeout            204
    PUT  /phones/N/presence {available}                 204
    PUT  /phones/N/profile {about, picture?, hides_picture, verified_name, greeting}   204
    GET  /phones/N/groups                               200 {groups: [GROUP]}
    POST /phones/N/groups {subject, members, ephemeral_seconds}   201 GROUP
    POST /phones/N/communities {subject, members}       201 {community, announcements}
    GET  /phones/N/groups/G                             200 GROUP
    PATCH /phones/N/groups/G CHANGE                     200 GROUP
    POST /phones/N/groups/G/members {action, members}   200 {results: [{lid, code}]}
    DELETE /phones/N/groups/G                           204  (the account leaves)
    GET  /phones/N/groups/G/link                        200 {code}
    POST /phones/N/groups/G/link                        200 {code}  (a new one)
    POST /phones/N/joined-groups {code}                 200 GROUP
    POST /phones/N/groups/G/accepted {code}             204  (an invitation)
    PUT  /phones/N/addable {contacts_only}              204
    PUT  /phones/N/status-audience {contacts?}          204
    PUT  /phones/N/blocked/CONTACT                      204
    DELETE /phones/N/blocked/CONTACT                    204
    PUT  /phones/N/trusted/CONTACT                      204
    PUT  /phones/N/timelock {until, kind}               204
    DELETE /phones/N/timelock                           204
    PUT  /phones/N/script {auto_read, auto_reply, quote, after_seconds}   204
    GET  /faults                                        200 {rules: [RULE]}
    POST /faults RULE                                   201 RULE
    DELETE /faults/ID                                   204
    PUT  /phones/N/faults?device=D FAULTS               204
    DELETE /phones/N/faults?device=D                    204
    GET  /phones/N/companions/D/faults                  200 FAULTS
    POST /phones/N/disconnect {stream?, device?}        200 {connections}
    POST /phones/N/stanza {tag, attrs, children | text | data, device?}   200 {connections}
    POST /phones/N/push {tag, attrs, children | text | data, device?}     200 {devices}
    PUT  /service {reachable}                           204

Content of every kind is written and shown as protojson of the library's `Message`:
`{"locationMessage": {"degreesLatitude": 52.5, "degreesLongitude": 13.4}}`. The routes of messages
are shorthand for texts and for what points to another message (reaction, change, deletion).

Groups are recipients like people, under the address that GROUP names; a MESSAGE's `chat` is the
group then, and its `sender` the member. Devices encrypt for them with sender keys, and the
companions of all members are told of every change. What members may not do is refused
(`group_refused`). `status@broadcast` is a recipient as well: those see it with whom the account has
exchanged messages, or who was chosen.

Files are really encrypted, uploaded to the sandbox's hosts (`mmg.whatsapp.net`, by the same proxy),
downloaded, checked by three hashes and decrypted: a MESSAGE's `media` says what came of it, and
`GET /phones/N/media/ID` returns the bytes. DRAFT names a `kind` (`image`, `video`, `gif`,
`video_note`, `audio`, `voice`, `document`, `sticker`), `data` (base64; bytes are so everywhere) or
the `path` of a file on this machine, and what else a phone says of it; `flaw` is what it says wrong
(`file_sha256`, `file_enc_sha256`, `file_length`, `media_key`, `direct_path`, `no_direct_path`).

A history is what was written before the companions were linked: the `chats` that are given (each an
`address`, `lid`, `name`, `unread`, `is_whole` and `messages` of `message_id`, `text` or `content`,
`from_me`, `sent_at`, `writer`, `push_name`), and `made_chats` more of `made_messages` each, of
`made_characters`. `external` uploads it as a file, as phones do with all but the first.

A page waits up to `timeout_seconds` for news; ask again with `since` set to its `next`. Times are
ISO 8601 in UTC. RULE is `service.fault_rules.Rule`, and how often it has applied; FAULTS are the
fields of `service.faults.Faults`, which stand for such rules of one account or device. Several
scripts can have rules at once, each under ids of its own: the third message of one account to
another is lost, say,

    {"id": "lost", "point": "message", "who": {"number": "4915550001"},
     "match": {"about": "4915550002"}, "effect": {"kind": "drop"}, "after": 2, "times": 1}

A message is refused to one recipient by a rule at `message` that is `about` it, such as 463 for who
gave no privacy token:

    {"id": "cold", "point": "message", "who": {"number": "4915550001"}, "match": {"about":
     "4915550002", "lacks": ["tctoken"]}, "effect": {"kind": "error", "code": 463}}

A time lock is that for everybody with whom the account has exchanged no message.

Files have two points. At `media_put`, `who` uploads, at `media_get` the file is one that `who` has
uploaded (the hosts do not ask who downloads, and phones' downloads are spared); `match.attrs` can
name a `type`. Effects: `error` (403, 404, 410, 429, 503, …; `backoff_seconds` is `Retry-After`),
`drop`, `delay`, `slow`, `cut` half way, `truncate`, `corrupt` (one bit), `expire` (410 for good);
at `media_put` also `blank` (taken, and the answer does not say where the file is).
The first picture that a phone has sent can be had at the second try only, say,

    {"id": "late", "point": "media_get", "who": {"number": "4915550002"},
     "match": {"attrs": {"type": "image"}}, "effect": {"kind": "error", "code": 503}, "times": 1}

The rest, with `?` where it can be null:

    HEALTH   {status, phones, companions_online, egress_attempts,
              handling_errors}
    ENV      {proxy_url, ca_file, root_key}
    PHONE    {number, lid, push_name, reused_keys, companions: [COMPANION]}
    COMPANION {device, address, online, pending, prekeys, logins}
    LINKED   {device, address, number_address, platform}
    MESSAGE  {message_id, chat, sender, sender_number, from_me, kind, text, quoted_id?, target_id?,
              mentions, sent_at, received_at, asked_again, media?}
    MEDIA    {kind, mime_type, size, sha256, seconds?, width?, height?, file_name, waveform,
              animated, view_once, is_checked, error}
    DRAFT    {to, kind, data?, path?, mime_type, caption, file_name, seconds?, width?, height?,
              waveform?, thumbnail?, animated, view_once, phone_only, ephemeral_seconds?, flaw?,
              reply_to?, mentions}
    GROUP    {group, subject, description, ephemeral_seconds, admins_write, admins_edit,
              admins_approve, waiting, members: [{lid, number, role}], members_version}
    CHANGE   {subject?, description?, ephemeral_seconds?, admins_write?, admins_edit?,
              admins_approve?}
    CONTENT  {message_id, kind, content}
    CALL     {call_id, state, rejected_by?}
    RECEIPT  {message_ids, sender, kind, sent_at}
    RULE     {id, point, who?, match, effect, times?, after, until?, applied}
    PROBLEM  {type, title, status, code, detail, errors: [{pointer, detail}]}

`control.client.SandboxClient` is the typed client of all that; `pytest_plugin` has the fixtures.

**How it is built**: `wire` the bytes, `server` the connections, `service` accounts, keys and the
way of stanzas, `signal` the cryptography of sessions, `phones` device 0 of each account, `control`
the HTTP API. To add a kind of content takes no file here, a query one (`server.queries`), a fault
none, something to do from outside one (`control.abilities`; its route and the client's method
follow from it). It listens on 127.0.0.1 only, refuses and records every request for another host,
and does not start when ENVIRONMENT is production.
"""
