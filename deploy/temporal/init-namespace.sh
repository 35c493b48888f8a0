#!/bin/sh
# Prepares a running Temporal server for reachback: the namespace, a history that lasts a year, the search attributes of
# src/core/search-attributes.ts. Ends when a worker can use them all. May run any number of times.
set -eu

: "${TEMPORAL_ADDRESS:?host:port of the Temporal server}"
namespace=${TEMPORAL_NAMESPACE:-default}
# The server deletes finished runs after this time; its own default is one day.
retention_days=${RETENTION_DAYS:-365}
attributes='ReachbackProduct=Keyword ReachbackDay=Keyword ReachbackState=Keyword ReachbackFailedDays=Int'
# A new namespace and new attributes are known everywhere in the server only after its caches were refreshed.
tries=${TRIES:-60}
wait_s=${WAIT_S:-2}

say() {
  echo "init-namespace: $*"
}

# Runs a command until it succeeds; its last error is shown when it never does.
patiently() {
  left=$tries
  while ! said=$("$@" 2>&1); do
    case $said in *'different type'*) left=1 ;; esac
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
      say "failed: $*" >&2
      echo "$said" >&2
      exit 1
    fi
    sleep "$wait_s"
  done
}

describe() {
  temporal operator namespace describe --namespace "$namespace" --output json
}

say "waiting for $TEMPORAL_ADDRESS"
patiently temporal operator cluster health

if ! describe >/dev/null 2>&1; then
  say "creating namespace $namespace"
  # Another run of this script may have been quicker.
  temporal operator namespace create --namespace "$namespace" --retention "${retention_days}d" ||
    patiently describe
fi
patiently describe

# Never lowered: an operator may want to keep more.
kept_s=$(echo "$said" | sed -n 's/.*"workflowExecutionRetentionTtl": *"\([0-9]*\)s".*/\1/p')
if [ "${kept_s:-0}" -lt $((retention_days * 86400)) ]; then
  say "keeping finished runs for $retention_days days"
  patiently temporal operator namespace update --namespace "$namespace" --retention "${retention_days}d"
fi

query='ExecutionStatus = "Running"'
for attribute in $attributes; do
  name=${attribute%=*}
  say "search attribute $attribute"
  # The same name and type again is no error; another type is.
  patiently temporal operator search-attribute create --namespace "$namespace" --name "$name" --type "${attribute#*=}"
  query="$query AND $name IS NULL"
done
say 'waiting until the search attributes can be used'
patiently temporal workflow count --namespace "$namespace" --query "$query"
say 'done'
