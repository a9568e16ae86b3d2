"""Where things are kept: `db` (PostgreSQL), `cache` (Redis), `objects` (S3). None knows the others."""
