"""Where things are kept: `db` is PostgreSQL, `cache` Redis, `objects` S3; none knows the others."""
