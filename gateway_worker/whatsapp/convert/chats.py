"""Conversations that are no chats with people: status posts and channels."""

from typing import Final

STATUS_CHAT: Final = "status@broadcast"
"""Where everybody's status posts come from and go to."""
CHANNEL_SERVER: Final = "newsletter"
