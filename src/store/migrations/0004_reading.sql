-- Reading with cached plans.

-- Events of the wanted streams after the versions already known, and the heads of their slices, as
-- rows with want 0. STABLE: all statements below see the one snapshot of the query that calls it.
-- A slice at a time, because a plan for all of them looks for the right leaf once per stream.
create function @schema@.load_streams(p_ks int[], p_streams text[], p_after bigint[])
returns table (want int, slice int, seq bigint, version bigint, schema_id int, event_id uuid,
    command_id uuid, correlation_id uuid, stream text, type text, payload bytea,
    recorded_at timestamptz)
language plpgsql stable set enable_seqscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
    v_k int;
begin
    for v_k in select distinct k from unnest(p_ks) k order by k loop
        return query
        select 0, s.slice, s.head_seq, null::bigint, null::int, s.store_id, null::uuid, null::uuid,
               null::text, null::text, null::bytea, null::timestamptz
        from @schema@.slices s where s.slice = v_k;
        return query
        select w.i, e.slice, e.seq, e.version, e.schema_id, e.event_id, e.command_id,
               coalesce(e.correlation_id, e.command_id), e.stream, e.type, e.payload, e.recorded_at
        from generate_subscripts(p_ks, 1) w(i)
        cross join lateral (
            select * from @schema@.event_log l
            where l.slice = v_k and l.stream = p_streams[w.i] and l.version > p_after[w.i]
            order by l.version
            offset 0) e
        where p_ks[w.i] = v_k;
    end loop;
end $$;
