"""A local server that speaks the WhatsApp multidevice protocol, with simulated phones."""
