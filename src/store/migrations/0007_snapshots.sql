-- Snapshots: read with the streams that lack a state, cleaned when void; append_batch_with writes them.

-- load_streams, from the snapshots on where there are any to be believed. Those come as rows
-- without a type: seq is the checksum and payload the state. STABLE: one snapshot (of Postgres) for
-- both, so that no event is missed between them.
create function @schema@.load_states(
    p_ks int[], p_streams text[], p_after bigint[], p_wanted boolean[], p_aggregate_version int,
    p_state_schema bigint)
returns table (want int, slice int, seq bigint, version bigint, schema_id int, event_id uuid,
    command_id uuid, correlation_id uuid, stream text, type text, payload bytea,
    recorded_at timestamptz)
language plpgsql stable set enable_seqscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
    v_row record;
    v_after bigint[] := p_after;
begin
    for v_row in
        select w.i, s.version, s.checksum, s.state
        from generate_subscripts(p_ks, 1) w(i)
        cross join lateral (
            select * from @schema@.snapshots n
            where n.slice = p_ks[w.i] and n.stream = p_streams[w.i]
            offset 0) s
        where p_wanted[w.i] and s.version > p_after[w.i]
            and s.aggregate_version = p_aggregate_version and s.state_schema = p_state_schema
    loop
        v_after[v_row.i] := v_row.version;
        want := v_row.i;
        seq := v_row.checksum;
        version := v_row.version;
        payload := v_row.state;
        return next;
    end loop;
    return query select * from @schema@.load_streams(p_ks, p_streams, v_after);
end $$;

-- Deletes, among the p_limit streams of an aggregate after p_after, the snapshots that p_version
-- and p_schema void; says after which stream to go on, null at the end. Those of a higher version
-- stay: a process that is newer uses them. Waits for no row: only an append may be holding it, and
-- that is writing it anew.
create function @schema@.clean_snapshots(
    p_slice int, p_prefix text, p_after text, p_version int, p_schema bigint, p_limit int,
    p_lock_timeout_ms int, out next_after text, out removed int)
language plpgsql volatile as $$
declare
    v_seen int;
    v_void text[];
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    select max(s.stream), count(*),
           array_agg(s.stream) filter (where s.aggregate_version < p_version
               or (s.aggregate_version = p_version and s.state_schema <> p_schema))
    into next_after, v_seen, v_void
    from (select n.stream, n.aggregate_version, n.state_schema from @schema@.snapshots n
          where n.slice = p_slice and n.stream > greatest(p_after, p_prefix)
              and n.stream < left(p_prefix, -1) || '.' -- what follows '-'
          order by n.stream limit p_limit) s;
    removed := 0;
    if v_void is not null then
        delete from @schema@.snapshots n using (
            select v.stream from @schema@.snapshots v
            where v.slice = p_slice and v.stream = any (v_void)
                and v.aggregate_version <= p_version
                and not (v.aggregate_version = p_version and v.state_schema = p_schema)
            for update skip locked) d
        where n.slice = p_slice and n.stream = d.stream;
        get diagnostics removed = row_count;
    end if;
    if v_seen < p_limit then
        next_after := null;
    end if;
end $$;
