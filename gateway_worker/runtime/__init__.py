"""Tools for asyncio that know nothing of WhatsApp: services, mailboxes, batches, retries."""
