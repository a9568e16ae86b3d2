"""Namespace `disappearing_mode`: the timer of new chats."""
