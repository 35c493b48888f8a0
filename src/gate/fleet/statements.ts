/**
 * The tables and statements of the gate that hosts share. One row is one gate; every statement that changes it is atomic by
 * itself, whatever becomes of the process that sent it. All times are the database's clock, in POSIX milliseconds.
 */

/** Of the tables; a newer one is refused. */
export const VERSION = 1;

/** A worker that has not been heard of for so long is gone, and its requests with it. */
export const LEASE_MS = 8_000;
/** Permits are given this much ahead of their slot, so that hosts far from the database keep the pace. */
export const AHEAD_MS = 100;

/** Ours alone, for as long as the tables are made. */
export const LOCK_TABLES = 'select pg_advisory_xact_lock(1380270152, 1)';

export const MAKE_TABLES = `
  create schema if not exists reachback_gate;
  create table reachback_gate.about (
    id integer primary key check (id = 1),
    version integer not null,
    -- Of the names of gates: without it the same credential has another name elsewhere.
    salt text not null
  );
  create table reachback_gate.gates (
    id text primary key,
    origin text not null,
    -- Counts changes of the rules' state, for compare and set.
    version bigint not null,
    -- The rules' state as JSON, and beside it what statements look at.
    state text not null,
    rate double precision not null,
    closed_until_ms double precision not null,
    shut boolean not null,
    probing boolean not null,
    -- Slot of the latest permit, and those of its last second.
    last_slot_ms double precision,
    recent double precision[] not null,
    -- Workers by id: requests under way, when heard of, their bounds, who they are.
    workers jsonb not null
  );
  create table reachback_gate.receipts (
    gate text not null references reachback_gate.gates (id),
    -- Empty for all that the worker asked for.
    run_id text not null,
    worker text not null,
    workspace text not null,
    requests bigint not null,
    rate_limited bigint not null,
    seconds_waited double precision not null,
    worst_second integer not null,
    last_ms double precision not null,
    primary key (gate, run_id, worker)
  )`;

/** From the catalog's tables: what looks names up may remember that there was none. */
export const FIND_TABLES = `
  select exists (
    select from pg_catalog.pg_tables where schemaname = 'reachback_gate' and tablename = 'about'
  ) as made`;

export const MAKE_GATE = `
  insert into reachback_gate.gates
    (id, origin, version, state, rate, closed_until_ms, shut, probing, last_slot_ms, recent, workers)
  values ($1, $2, 0, $3, $4, 0, false, false, null, '{}', '{}')
  on conflict (id) do nothing`;

/**
 * Gives up to $3 permits to worker $2, tells how many requests it has under way ($4), and renews its lease; with $3 = 0 that
 * alone. The strictest bounds of all workers count: requests at once ($5), requests per second ($6). $7 is who it is.
 */
export const TAKE = `
  with locked as materialized (
    select * from reachback_gate.gates where id = $1::text for update
  ), gate as materialized (
    -- After the lock was waited for.
    select locked.*, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms from locked
  ), elsewhere as (
    select
      coalesce(sum((worker.value ->> 'inFlight')::int), 0) as in_flight,
      min((worker.value ->> 'mostRequests')::int) as most_requests,
      min((worker.value ->> 'maxRate')::float8) as max_rate,
      coalesce(jsonb_object_agg(worker.key, worker.value), '{}') as workers
    from gate, jsonb_each(gate.workers) as worker
    where worker.key <> $2::text and abs(gate.now_ms - (worker.value ->> 'seenMs')::float8) < ${LEASE_MS}
  ), pace as (
    select gate.*, elsewhere.workers as others,
      1000 / least(gate.rate, $6::float8, elsewhere.max_rate) as spacing_ms,
      case when gate.probing then 1 else least($5::int, elsewhere.most_requests) end
        - $4::int - elsewhere.in_flight as room
    from gate, elsewhere
  ), slots as (
    -- A slot further ahead than any can be is by a clock that was set back since.
    select pace.*, case
      when last_slot_ms is null or last_slot_ms > now_ms + ${AHEAD_MS + 1} then now_ms
      else greatest(now_ms, last_slot_ms + spacing_ms)
    end as first_ms from pace
  ), given as (
    select slots.*,
      case when shut or closed_until_ms > now_ms then 0
        else greatest(0, least($3::int, room, floor((now_ms + ${AHEAD_MS} - first_ms) / spacing_ms) + 1))::int
      end as permits
    from slots
  )
  update reachback_gate.gates as kept set
    last_slot_ms = case
      when permits > 0 then first_ms + (permits - 1) * spacing_ms
      else kept.last_slot_ms
    end,
    recent = array(select slot from unnest(given.recent) as slot where slot > now_ms - 1000)
      || array(select first_ms + n * spacing_ms from generate_series(0, permits - 1) as n),
    workers = given.others || jsonb_build_object($2::text, $7::jsonb || jsonb_build_object(
      'inFlight', $4::int + permits, 'seenMs', now_ms, 'mostRequests', $5::int, 'maxRate', $6::float8))
  from given
  where kept.id = given.id
  returning given.now_ms, given.permits, given.first_ms, given.spacing_ms, given.room, given.recent,
    given.others, kept.version, kept.state`;

/** Puts a new state down if version $2 still is the current one. */
export const CHANGE = `
  update reachback_gate.gates
  set version = version + 1, state = $3, rate = $4, closed_until_ms = $5, shut = $6, probing = $7
  where id = $1 and version = $2
  returning version`;

export const LEAVE = `update reachback_gate.gates set workers = workers - $2::text where id = $1`;

export const PUT_RECEIPT = `
  insert into reachback_gate.receipts
    (gate, run_id, worker, workspace, requests, rate_limited, seconds_waited, worst_second, last_ms)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
  on conflict (gate, run_id, worker) do update set
    requests = excluded.requests, rate_limited = excluded.rate_limited, seconds_waited = excluded.seconds_waited,
    worst_second = excluded.worst_second, last_ms = excluded.last_ms`;

/** Leaves those of the latest $2 runs, as a gate of one machine does; sums over all runs stay. */
export const PRUNE_RECEIPTS = `
  delete from reachback_gate.receipts
  where gate = $1 and run_id <> '' and run_id not in (
    select run_id from reachback_gate.receipts where gate = $1 and run_id <> ''
    group by run_id order by max(last_ms) desc limit $2::int
  )`;

/** What a worker that comes by has to know of the runs that were: their sums, the latest $2. */
export const READ_RECEIPTS = `
  select run_id, max(workspace) as workspace, sum(requests) as requests, sum(rate_limited) as rate_limited,
    sum(seconds_waited) as seconds_waited, max(worst_second) as worst_second, max(last_ms) as last_ms
  from reachback_gate.receipts where gate = $1
  group by run_id
  order by run_id = '' desc, max(last_ms) desc
  limit 1 + $2::int`;

export const READ_GATE = `
  select gates.*, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms
  from reachback_gate.gates where id = $1`;
