#!/bin/sh
# Makes the two databases of the Temporal server and brings their schema to this image's version. Runs to its end at every
# start: what is there already stays. Server, port, user, password and plugin come from the tool's own variables SQL_*.
set -eu

: "${SQL_HOST:?the host name of PostgreSQL}"
: "${SQL_PASSWORD:?the password of PostgreSQL}"
schema=${SCHEMA_DIR:-/etc/temporal/schema/postgresql/v12}

# Database and folder of its schema.
set -- temporal temporal temporal_visibility visibility
while [ $# -gt 0 ]; do
  echo "setup-postgres: database $1 on $SQL_HOST"
  temporal-sql-tool --db "$1" create-database
  # The version tables; a schema that has a version already is left alone.
  temporal-sql-tool --db "$1" setup-schema --version 0.0
  temporal-sql-tool --db "$1" update-schema --schema-dir "$schema/$2/versioned"
  shift 2
done
echo 'setup-postgres: done'
