-- The tables and the functions of package pgbucket, version 1. To run it again changes nothing.
--
-- The tables are UNLOGGED on purpose. An exchange writes nothing to the write-ahead log that it would have to
-- wait for. And after a crash, a failover or a restore of a backup they are empty, so a budget never goes on
-- with counts that are out of date.

SELECT pg_advisory_xact_lock(hashtextextended('fairlead.schema', 0));

CREATE SCHEMA IF NOT EXISTS fairlead;

-- A row for each budget. Instants are in microseconds since 1970, by the clock of the database.
--
-- An exchange does not update its row, but inserts the next and deletes it. So an index that is read backwards finds
-- it at once, even if a long transaction keeps PostgreSQL from removing thousands of older ones.
CREATE UNLOGGED TABLE IF NOT EXISTS fairlead.budgets (
  budget   text   NOT NULL,
  n        bigint NOT NULL DEFAULT 0,  -- counts the exchanges
  run      text   NOT NULL DEFAULT '', -- identifies the life of the server that wrote the row
  epoch    text   NOT NULL DEFAULT '', -- changes when the server may have lost what it knew
  seen     bigint NOT NULL DEFAULT 0,  -- the latest instant seen
  at       bigint NOT NULL DEFAULT 0,  -- refill is counted up to here
  learns   bigint NOT NULL DEFAULT 0,  -- until then nothing is sold, since the server may have lost what it knew
  held     bigint NOT NULL DEFAULT 0,  -- until then nothing is sold, since a server asked to wait
  level    bigint NOT NULL DEFAULT 0,  -- whole tokens; below zero if later tokens were sold
  part     bigint NOT NULL DEFAULT 0,  -- the fraction of the next token, in units of 1/per
  capacity bigint NOT NULL DEFAULT 0,
  refill   bigint NOT NULL DEFAULT 0,  -- units of 1/per that come each microsecond
  per      bigint NOT NULL DEFAULT 1,
  version  bigint NOT NULL DEFAULT 0,  -- of the limit; 0: none is known
  sales    bigint NOT NULL DEFAULT 0,  -- counts them
  sharers  bigint NOT NULL DEFAULT 0,  -- how many processes share the budget, if none of them has been silent for 3 s
  oldest   bigint NOT NULL DEFAULT 0,  -- none of them was seen before this instant for the last time
  PRIMARY KEY (budget, n)
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, vacuum_truncate = off);

-- A row for each process that has shared a budget in the last 10 minutes, which is replaced likewise.
CREATE UNLOGGED TABLE IF NOT EXISTS fairlead.processes (
  budget  text     NOT NULL,
  process text     NOT NULL,
  seen    bigint   NOT NULL, -- for the last time
  seq     bigint   NOT NULL,
  answer  bigint[] NOT NULL, -- what was answered to this seq
  PRIMARY KEY (budget, process, seq)
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, vacuum_truncate = off);

-- now_v1 returns the time in microseconds since 1970.
CREATE OR REPLACE FUNCTION fairlead.now_v1() RETURNS bigint LANGUAGE sql AS
  'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint';

-- run_v1 returns what identifies this life of the server.
CREATE OR REPLACE FUNCTION fairlead.run_v1() RETURNS text LANGUAGE sql AS
  'SELECT extract(epoch FROM pg_postmaster_start_time())::text';

-- create_v1 makes a budget that is full, and reports whether there was none.
CREATE OR REPLACE FUNCTION fairlead.create_v1(budget_ text, capacity bigint, refill bigint, per bigint)
RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
  now bigint := fairlead.now_v1();
  run text := fairlead.run_v1();
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('fairlead.' || budget_, 0));
  IF EXISTS (SELECT FROM fairlead.budgets WHERE budget = budget_) THEN
    RETURN false;
  END IF;
  INSERT INTO fairlead.budgets (budget, run, epoch, seen, at, learns, oldest, level, capacity, refill, per, version)
    VALUES (budget_, run, now || '-' || run, now, now, now, now, capacity, capacity, refill, per, 1);
  RETURN true;
END $$;

-- exchange_v1 answers an ask in one atomic step, as bucket.Shared does. It takes an ask that is normalized, with
-- ahead in ns and hold in µs. The answer's numbers are tokens, level, part, refill, per, capacity, version, sharers,
-- ahead (ns), held (µs) and learning (µs).
--
-- A lock makes it atomic, and the clock is read after the lock was taken. An exchange that can't have the lock in a
-- second fails, so that connections do not pile up behind one that is stuck. If a hold begins or the limit
-- changes, the channel "fairlead" gets the budget's name.
CREATE OR REPLACE FUNCTION fairlead.exchange_v1(
  budget_ text, process_ text, seq_ bigint, want bigint, least_ bigint, ahead_ bigint, back bigint, charge bigint,
  epoch_ text, mine bigint, hold bigint, remaining bigint, -- remaining: null if a server has not said it
  capacity_ bigint, refill_ bigint, per_ bigint, version_ bigint, leave boolean,
  OUT answer bigint[], OUT epoch text
) LANGUAGE plpgsql SET lock_timeout = '1s' SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
  b      fairlead.budgets;
  m      fairlead.processes;
  now    bigint;
  run    text;
  there  boolean;
  known  boolean; -- and not forgotten
  late   boolean;
  units  bigint;
  lowest bigint; -- so that products are exact
  ahead  bigint := ahead_;
  tokens bigint := 0;
  coming bigint; -- tokens that come within ahead
  turn   bigint; -- counts the sales of a round, and begins each round with another
  hints  boolean := false;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('fairlead.' || budget_, 0));
  SELECT * INTO b FROM fairlead.budgets WHERE budget = budget_ ORDER BY n DESC LIMIT 1;
  IF NOT FOUND THEN
    INSERT INTO fairlead.budgets (budget) VALUES (budget_) RETURNING * INTO b;
  END IF;
  now := fairlead.now_v1();
  run := fairlead.run_v1();

  IF b.epoch = '' OR b.run <> run OR now < b.seen - 1000000 THEN -- a new epoch; a known limit is kept
    DELETE FROM fairlead.processes WHERE budget = budget_;
    b.run := run; b.epoch := now || '-' || run;
    b.seen := now; b.learns := now + 2250000; b.at := b.learns; b.held := 0;
    b.level := 0; b.part := 0; b.sales := 0; b.sharers := 0; b.oldest := now;
  END IF;
  now := greatest(now, b.seen);
  b.seen := now;

  IF now - b.oldest > 3000000 THEN
    DELETE FROM fairlead.processes WHERE budget = budget_ AND seen < now - 600000000;
    SELECT count(*), coalesce(min(seen), now) INTO b.sharers, b.oldest FROM fairlead.processes
      WHERE budget = budget_ AND seen >= now - 3000000;
  END IF;
  SELECT * INTO m FROM fairlead.processes WHERE budget = budget_ AND process = process_ ORDER BY seq DESC LIMIT 1;
  there := FOUND;
  known := there AND m.seen >= now - 600000000;
  late := known AND m.seq > seq_; -- a copy that was on its way for long

  IF known AND m.seq = seq_ THEN
    answer := m.answer;
  ELSE
    IF late THEN
      ahead := 0;
    ELSE
      IF now > b.at AND b.version > 0 THEN -- refill
        units := now - b.at;
        b.at := now;
        IF units > ((b.capacity - b.level) * b.per + b.per) / b.refill THEN
          b.level := b.capacity;
        ELSE
          units := units * b.refill + b.part;
          b.level := b.level + units / b.per;
          b.part := units % b.per;
        END IF;
        IF b.level >= b.capacity THEN
          b.level := b.capacity; b.part := 0;
        END IF;
      END IF;
      IF version_ > b.version THEN -- a new limit
        hints := b.version > 0;
        b.version := version_; b.capacity := capacity_; b.refill := refill_; b.per := per_;
        b.part := 0;
      END IF;
      lowest := b.capacity - 4503599627370496 / b.per;
      b.level := least(greatest(b.level, lowest), b.capacity);

      IF epoch_ = b.epoch AND known THEN
        b.level := b.level + back;
        IF b.level >= b.capacity THEN
          b.level := b.capacity; b.part := 0;
        END IF;
      ELSIF epoch_ <> b.epoch AND epoch_ <> '' AND now < b.learns THEN
        b.level := greatest(b.level - mine, lowest);
      END IF;
      b.level := greatest(b.level - charge, lowest);
      IF remaining < b.level THEN
        b.level := remaining; b.part := 0;
      END IF;
      hints := hints OR (hold > 0 AND b.held <= now);
      b.held := greatest(b.held, now + hold);
      IF b.held > now THEN -- the refill begins when the hold is over
        b.at := greatest(b.at, b.held);
        b.level := least(b.level, 0); b.part := 0;
      END IF;
      b.sharers := b.sharers - (there AND m.seen >= now - 3000000)::int + (NOT leave)::int;
      m.seen := now - CASE WHEN leave THEN 3000001 ELSE 0 END; -- as if it had been silent for long
    END IF;

    IF ahead <= 0 THEN -- so far that a process buys a hundred tokens at once
      ahead := CASE WHEN b.per / b.refill >= 10000 THEN 1000000000
        ELSE greatest(greatest(b.sharers, 1) * (100 * b.per / b.refill) * 1000, 50000000) END;
    END IF;
    ahead := least(ahead, 1000000000);
    IF NOT late AND NOT leave AND now >= b.at THEN -- a sale
      coming := ahead / 1000 * b.refill / b.per;
      turn := (b.sales + b.sales / b.sharers) % b.sharers;
      tokens := greatest(b.level, 0) / b.sharers + coming / b.sharers
        + (turn + 1) * (coming % b.sharers) / b.sharers - turn * (coming % b.sharers) / b.sharers;
      tokens := least(want, greatest(least_, tokens, 1), greatest(0, b.level - lowest));
    END IF;
    answer := ARRAY[tokens, b.level, b.part, b.refill, b.per, b.capacity, b.version, greatest(b.sharers, 1), ahead,
      greatest(0, b.held - now), greatest(0, b.learns - now)];
    b.level := b.level - tokens;
    b.sales := b.sales + least(tokens, 1);

    IF NOT late THEN
      DELETE FROM fairlead.processes WHERE budget = budget_ AND process = process_ AND seq = m.seq;
      INSERT INTO fairlead.processes VALUES (budget_, process_, m.seen, seq_, exchange_v1.answer);
    END IF;
  END IF;

  DELETE FROM fairlead.budgets WHERE budget = budget_ AND n = b.n;
  b.n := b.n + 1;
  INSERT INTO fairlead.budgets SELECT b.*;
  epoch := b.epoch;
  IF hints THEN
    PERFORM pg_notify('fairlead', budget_);
  END IF;
END $$;
