"""Namespace `urn:xmpp:whatsapp:push`: notifications of a phone."""
