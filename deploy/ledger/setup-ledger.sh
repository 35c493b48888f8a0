#!/bin/sh
# Makes the ledger's own user and database. Runs to its end at every start: what is there stays, the password is set anew.
# Server, user, password and database to connect to come from the client's own variables PG*.
set -eu

: "${PGHOST:?the host name of PostgreSQL}"
: "${PGPASSWORD:?the password of its administrator}"
: "${LEDGER_PASSWORD:?the password of the user reachback}"
echo "setup-ledger: user and database reachback on $PGHOST"
# The password comes in by the environment: arguments are shown to everybody on the machine.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 <<'SQL'
\getenv password LEDGER_PASSWORD
select 'create role reachback login' where not exists (select from pg_roles where rolname = 'reachback') \gexec
alter role reachback password :'password';
select 'create database reachback owner reachback'
  where not exists (select from pg_database where datname = 'reachback') \gexec
SQL
echo 'setup-ledger: done'
