"""Namespace `urn:xmpp:whatsapp:dirty`: what the companion has seen."""
