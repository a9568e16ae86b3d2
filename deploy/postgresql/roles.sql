-- The gateway's roles. Run it in its database, as a superuser, as often as you like:
--
--     createdb --encoding=UTF8 --template=template0 gateway
--     psql --dbname=gateway --set=ON_ERROR_STOP=1 --file=roles.sql
--     psql --dbname=gateway --command='\password gateway_worker'      (and the two others)
--
--   gateway_owner    owns the tables and changes the schema    MIGRATIONS_DATABASE_URL, of the migration only
--   gateway_worker   reads and writes rows, changes no table   DATABASE_URL
--   gateway_monitor  sees the server's figures, no row         an exporter's
--
-- A database in which a worker has made the tables itself is handed over first:
--     REASSIGN OWNED BY that_user TO gateway_owner;

DO $roles$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['gateway_owner', 'gateway_worker', 'gateway_monitor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', name);
        END IF;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO gateway_owner, gateway_worker, gateway_monitor',
        current_database()
    );
END
$roles$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO gateway_owner;
GRANT USAGE ON SCHEMA public TO gateway_worker;

-- What is there, and what migrations will make
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO gateway_worker;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO gateway_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE gateway_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO gateway_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE gateway_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO gateway_worker;

GRANT pg_monitor TO gateway_monitor;
