-- Tables of one store. @schema@ is the topology's schema, quoted. Leaf tables of event_log,
-- command_log and outbox are made per slice by make_slice(); their indexes leave the slice out
-- because it is the same in every row of a leaf.

create table @schema@.topology (
    only_row boolean primary key default true check (only_row),
    partitions int not null check (partitions between 1 and 10000),
    system_identifier bigint not null,
    timeline int not null,
    created_at timestamptz not null default now()
);

create table @schema@.slices (
    slice int primary key,
    head_seq bigint not null default 0,
    outbox_seq bigint not null default 0,
    store_id uuid not null default gen_random_uuid(),
    parent_store_id uuid,
    fork_seq bigint
) with (fillfactor = 20, autovacuum_vacuum_threshold = 2000);

create table @schema@.published (
    slice int primary key,
    epoch bigint not null default 0,
    seq bigint not null default 0,
    outbox_seq bigint not null default 0
) with (fillfactor = 20, autovacuum_vacuum_threshold = 2000);

create table @schema@.owners (
    processor text collate "C",
    k int,
    epoch bigint not null default 0,
    topology_version bigint not null default 0,
    primary key (processor, k)
) with (fillfactor = 20, autovacuum_vacuum_threshold = 2000);

create table @schema@.lanes (
    processor text collate "C",
    topic text collate "C",
    k int,
    next_offset bigint not null,
    fingerprint bigint not null default 0,
    leader_epoch int,
    next_seq bigint not null default 0,
    primary key (processor, topic, k)
) with (fillfactor = 20, autovacuum_vacuum_threshold = 2000);

-- correlation_id and causation_id are null where they equal the command's own id.
create table @schema@.event_log (
    seq bigint not null,
    version bigint not null,
    recorded_at timestamptz not null,
    slice int not null,
    schema_id int not null,
    event_id uuid not null,
    command_id uuid not null,
    stream text collate "C" not null,
    type text collate "C" not null,
    payload bytea not null,
    correlation_id uuid,
    causation_id uuid,
    actor text collate "C",
    headers jsonb,
    occurred_at timestamptz
) partition by list (slice);
alter table @schema@.event_log alter payload set storage external;

create table @schema@.command_log (
    first_seq bigint not null,
    last_seq bigint not null,
    received_at timestamptz not null,
    finished_at timestamptz not null,
    slice int not null,
    outcome smallint not null,
    attempts int not null,
    id uuid not null,
    type text collate "C" not null,
    stream text collate "C" not null,
    processor text collate "C" not null,
    priority text collate "C" not null,
    source text collate "C" not null,
    payload bytea not null,
    error_code text collate "C",
    error_text text,
    correlation_id uuid,
    causation_id uuid
) partition by list (slice);
alter table @schema@.command_log alter payload set storage external;

create table @schema@.outbox (
    seq bigint not null,
    slice int not null,
    partition int not null,
    topic text collate "C" not null,
    key bytea,
    headers bytea not null,
    value bytea
) partition by list (slice);
alter table @schema@.outbox alter value set storage external;

create table @schema@.outbox_refused (
    slice int,
    seq bigint,
    partition int not null,
    topic text collate "C" not null,
    key bytea,
    headers bytea not null,
    value bytea,
    reason text not null,
    refused_at timestamptz not null default now(),
    primary key (slice, seq)
);

-- Messages that are not handled now, with all it takes to handle them (design 4):
-- answered retry, parked behind one of their key, scheduled, dead while their key is held, or given
-- a second chance. A key is parked iff it has a row that parks; its rows are handled by ticket, the
-- first when it is due. Only the owner of (processor, slice) writes here; whoever else does, takes
-- the fence row and raises its epoch (change_waiting), so that the owner reads anew.
create table @schema@.waiting (
    processor text collate "C",
    slice int,
    key bytea,
    ticket bigint,
    reason smallint not null, -- 1 retry, 2 parked, 3 scheduled, 4 held after its death, 5 redriven
    parks boolean not null,
    due_at timestamptz not null, -- infinity: when somebody says so
    attempt int not null,        -- answers "retry" so far
    id uuid not null,
    type text collate "C" not null,
    priority text collate "C" not null,
    topic text collate "C" not null, -- where it came from; of a scheduled one: where it goes
    partition int not null,
    record_offset bigint not null,
    event_seq bigint not null, -- of an event; else 0
    received_at timestamptz not null,
    first_at timestamptz, -- of the first answer "retry"
    error_code text collate "C",
    error text,
    headers bytea not null,
    value bytea,
    primary key (processor, slice, key, ticket)
);
create index waiting_id on @schema@.waiting (id);

-- Processors that stand still: paused by a flood of dead letters, or by a person.
create table @schema@.pauses (
    processor text collate "C" primary key,
    reason text not null,
    paused_by text not null,
    since timestamptz not null default now()
);

-- What a processor gave up on: the record as it came, and what has become of it since.
create table @schema@.dead_letters (
    processor text collate "C",
    slice int,
    id uuid,
    key bytea,
    type text collate "C" not null,
    priority text collate "C" not null,
    source text collate "C" not null,
    topic text collate "C" not null,
    partition int not null,
    record_offset bigint not null,
    event_seq bigint not null,
    class text collate "C" not null, -- poison, retry, crash
    code text collate "C" not null,
    message text not null,
    attempts int not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    handler_version int not null,
    headers bytea not null,
    value bytea,                 -- null: there was none, or it is too large to keep
    value_bytes bigint not null, -- of the record
    value_sha256 bytea not null,
    state text collate "C" not null default 'dead',
        -- dead, redriving, settled (done or rejected since), dropped, quarantined (died too often)
    redrives int not null default 0,
    note text, -- why it was dropped
    changed_at timestamptz not null default now(),
    primary key (processor, slice, id)
);
create index dead_letters_time on @schema@.dead_letters (processor, last_at);

-- States kept every so many events (`aggregates.<a>.snapshot_every`), the newest of each stream. A
-- row may be believed by whoever folds with the same version of the aggregate into the same schema,
-- if its checksum is right; to all others it is void, and the events tell.
create table @schema@.snapshots (
    slice int,
    stream text collate "C",
    version bigint not null,
    aggregate_version int not null,
    state_schema bigint not null,
    checksum bigint not null,
    state bytea not null,
    created_at timestamptz not null default now(),
    primary key (slice, stream)
) with (fillfactor = 70, autovacuum_vacuum_threshold = 2000);
alter table @schema@.snapshots alter state set storage external;

create table @schema@.schemas (
    id int primary key,
    subject text collate "C" not null,
    version int not null,
    text text not null,
    created_at timestamptz not null default now(),
    unique (subject, version)
);

create table @schema@.ledger (
    slice int,
    store_id uuid,
    tree_size bigint,
    root bytea not null,
    signature bytea,
    created_at timestamptz not null default now(),
    primary key (slice, store_id, tree_size)
);

create view @schema@.events as
select slice, seq, stream, version, type, schema_id, event_id, command_id,
       coalesce(correlation_id, command_id) as correlation_id,
       coalesce(causation_id, command_id) as causation_id,
       actor, headers, payload, recorded_at, occurred_at
from @schema@.event_log;

-- A command that waits has no row in command_log yet, or that of its death when it is given a second
-- chance; which aggregate it is for is not known here, so its stream is null.
create view @schema@.commands as
select slice, id, type, stream, processor, priority, source,
       case outcome when 1 then 'accepted' when 2 then 'rejected' when 3 then 'dead'
                    else outcome::text end as outcome,
       attempts, error_code, error_text,
       case when error_code is null and error_text is null then null
            else concat_ws(': ', error_code, error_text) end as error,
       payload, first_seq, last_seq, int8range(first_seq, last_seq, '[]') as positions,
       coalesce(correlation_id, id) as correlation_id, coalesce(causation_id, id) as causation_id,
       received_at, finished_at, null::text as waits, null::timestamptz as due_at
from @schema@.command_log c
where c.outcome <> 3 or not exists (
    select 1 from @schema@.waiting w
    where w.id = c.id and w.processor = c.processor and w.slice = c.slice and w.reason <> 4)
union all
select slice, id, type, null, processor, priority, null,
       'waiting', attempt, error_code, error,
       case when error_code is null and error is null then null
            else concat_ws(': ', error_code, error) end,
       value, null, null, null, null, null, received_at, null,
       case reason when 1 then 'retry' when 2 then 'parked' when 3 then 'scheduled'
                   when 5 then 'redriven' else reason::text end,
       due_at
from @schema@.waiting
where reason <> 4;

create view @schema@.streams as
select slice, stream, max(version) as version, max(seq) as last_seq
from @schema@.event_log
group by slice, stream;

-- One slice's leaf tables and rows. Inserts alone do not make a leaf worth an early vacuum. A
-- command is known per processor: several may handle one event, under its id.
create function @schema@.make_slice(p_slice int) returns void
language plpgsql as $$
begin
    execute format('create table @schema@.event_log_%1$s partition of @schema@.event_log '
        'for values in (%1$s) with (autovacuum_vacuum_insert_threshold = 1000000, '
        'autovacuum_analyze_threshold = 100000)', p_slice);
    execute format('create unique index on @schema@.event_log_%s (seq)', p_slice);
    execute format('create unique index on @schema@.event_log_%s (stream, version)', p_slice);
    execute format('create table @schema@.command_log_%1$s partition of @schema@.command_log '
        'for values in (%1$s) with (autovacuum_vacuum_insert_threshold = 1000000, '
        'autovacuum_analyze_threshold = 100000)', p_slice);
    execute format('create unique index on @schema@.command_log_%s (id, processor)', p_slice);
    execute format('create table @schema@.outbox_%1$s partition of @schema@.outbox '
        'for values in (%1$s) with (autovacuum_vacuum_scale_factor = 0, '
        'autovacuum_vacuum_threshold = 20000)', p_slice);
    execute format('create unique index on @schema@.outbox_%s (seq)', p_slice);
    insert into @schema@.slices (slice) values (p_slice);
    insert into @schema@.published (slice) values (p_slice);
end $$;

-- The layout the topology asks for: refuses another partition count, adds missing fence rows.
create function @schema@.make_layout(p_partitions int, p_processors text[]) returns int
language plpgsql as $$
declare
    v_known int;
    v_made int;
begin
    select partitions into v_known from @schema@.topology;
    if v_known is null then
        insert into @schema@.topology (partitions, system_identifier, timeline)
        select p_partitions, s.system_identifier, @schema@.current_timeline()
        from pg_control_system() s;
        perform @schema@.make_slice(k) from generate_series(0, p_partitions - 1) k;
    elsif v_known <> p_partitions then
        raise exception 'the store has % partitions, the topology says %', v_known, p_partitions
            using errcode = 'LE010';
    end if;
    insert into @schema@.owners (processor, k)
    select p, k from unnest(p_processors) p, generate_series(0, p_partitions - 1) k
    on conflict do nothing;
    get diagnostics v_made = row_count;
    return v_made;
end $$;

-- Only a primary writes, so the name of the current WAL file is always to be had.
create function @schema@.current_timeline() returns int
language sql as $$
    select ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int
$$;
