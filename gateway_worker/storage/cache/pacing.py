"""The buckets of sessions' pacing, which all workers share (the commands' `PacingStore`).

`<prefix>pacing:{<session>}` is a hash of `full_at`, `day` and `count`; beside it
`<prefix>pacing:{<session>}:<hash of the chat>` has the `full_at` of a chat's bucket. The braces
keep both on one node of a cluster. All of a message's places are given in one step of the server,
by its clock. Nothing here lasts longer than it matters, and what is lost is a full bucket again.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from gateway_worker.commands.pacing.buckets import Asked, Levels, Part, Reserved
from gateway_worker.storage.cache.client import Cache, CacheRefusedError

KEEP_MS: Final = 172_800_000
"""For how long a session's key outlives its last message: until its day is over everywhere."""
_OTHER_TYPE: Final = "WRONGTYPE"
_PARTS: Final = (Part.DAY, Part.RECIPIENT, Part.SESSION)

# What it computes is in `commands.pacing.buckets`, which says why.
_RESERVE: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local interval, burst, chat_interval, chat_burst, cap, offset, longest, keep =
  tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]),
  tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local known = redis.call('HMGET', KEYS[1], 'full_at', 'day', 'count')
local full_at = math.max(tonumber(known[1]) or 0, tonumber(ARGV[9]))
local today = math.floor((now + offset) / 86400000)
local day, count = tonumber(known[2]) or 0, tonumber(known[3]) or 0
local other_day, other_count = tonumber(ARGV[10]), tonumber(ARGV[11])
if other_day > day then
  day, count = other_day, other_count
elseif other_day == day then
  count = math.max(count, other_count)
end
local sent = 0
if day == today then
  sent = count
end
local chat_full_at = tonumber(ARGV[12])
if chat_interval > 0 then
  chat_full_at = math.max(tonumber(redis.call('GET', KEYS[2])) or 0, chat_full_at)
end
local function answer(part, wait)
  return {part, wait, now, full_at, chat_full_at, day, count}
end
local function take(level, width, depth)
  local level = math.max(level, now)
  return math.max(0, level - (depth - 1) * width - now), level + width
end
if cap > 0 and sent >= cap then
  return answer(0, (today + 1) * 86400000 - offset - now)
end
local chat_after = chat_full_at
if chat_interval > 0 then
  local wait, after = take(chat_full_at, chat_interval, chat_burst)
  if wait > 0 then
    local further = take(full_at, interval, burst)
    if wait <= longest and further - wait > longest then
      return answer(2, further)
    end
    if wait <= longest then
      chat_full_at = after
      redis.call('SET', KEYS[2], string.format('%d', after), 'PX', after - now)
    end
    return answer(1, wait)
  end
  chat_after = after
end
local wait, after = take(full_at, interval, burst)
if wait > longest then
  return answer(2, wait)
end
full_at, day, count = after, today, sent + 1
if chat_interval > 0 then
  chat_full_at = chat_after
  redis.call('SET', KEYS[2], string.format('%d', chat_after), 'PX', chat_after - now)
end
redis.call('HSET', KEYS[1], 'full_at', string.format('%d', full_at), 'day', day, 'count', count)
redis.call('PEXPIRE', KEYS[1], math.max(keep, full_at - now))
return answer(2, wait)
"""
_SHA1: Final = hashlib.sha1(_RESERVE.encode(), usedforsecurity=False).hexdigest()


def session_key(cache: Cache, session_id: str) -> str:
    """Return the key of what is kept of a session; those of its chats begin with it."""
    return cache.key("pacing", f"{{{session_id}}}")


class RedisPacing:
    """The shared buckets.

    Args:
        cache: Where they are.
    """

    def __init__(self, *, cache: Cache) -> None:
        self._cache = cache

    async def reserve(
        self, session_id: str, recipient: str, asked: Asked, known: Levels
    ) -> Reserved:
        """Give a message the next places; see the port.

        Raises:
            DependencyError: Redis did not answer; it may have given them all the same.
        """
        chat = asked.recipient
        values = (
            asked.session.interval_ms,
            asked.session.burst,
            0 if chat is None else chat.interval_ms,
            0 if chat is None else chat.burst,
            asked.daily_cap,
            asked.day_offset_ms,
            asked.longest_ms,
            KEEP_MS,
            known.session_full_at,
            known.day,
            known.count,
            known.recipient_full_at,
        )
        keys = self._keys(session_id, recipient)

        async def run(client: "Redis") -> Sequence[int]:
            found: Sequence[int]
            try:
                found = await client.evalsha(_SHA1, len(keys), *keys, *values)
            except NoScriptError:  # it was restarted
                found = await client.eval(_RESERVE, len(keys), *keys, *values)
            return found

        try:
            answer = await self._cache.call(run)
        except CacheRefusedError as error:
            if error.reason != _OTHER_TYPE:
                raise
            # Something else has been put there; all sessions would be paced without Redis for it.
            await self._cache.call(lambda client: client.unlink(*keys))
            answer = await self._cache.call(run)
        part, wait, now, full_at, chat_full_at, day, count = answer
        return Reserved(
            part=_PARTS[part],
            wait_ms=wait,
            now_ms=now,
            levels=Levels(
                session_full_at=full_at, recipient_full_at=chat_full_at, day=day, count=count
            ),
        )

    def _keys(self, session_id: str, recipient: str) -> tuple[str, str]:
        session = session_key(self._cache, session_id)
        # Whom a session writes to is nobody's business there.
        chat = hashlib.blake2b(recipient.encode(), digest_size=12).hexdigest()
        return session, f"{session}:{chat}"
