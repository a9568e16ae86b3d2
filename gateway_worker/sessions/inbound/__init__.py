"""Arrivals from WhatsApp: recorded, put into quarantine, sent on after a change of owner."""
