"""Namespace `passive`: whether the companion wants its stanzas."""
