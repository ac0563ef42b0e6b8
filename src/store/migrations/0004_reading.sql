-- Reading with cached plans.

-- Events of the wanted streams after the versions already known, and the heads of their slices, in
-- one statement: one snapshot. Head rows come first, with want 0.
create function @schema@.load_streams(p_ks int[], p_streams text[], p_after bigint[])
returns table (want int, slice int, seq bigint, version bigint, schema_id int, event_id uuid,
    command_id uuid, correlation_id uuid, stream text, type text, payload bytea,
    recorded_at timestamptz)
language plpgsql stable set enable_seqscan = off set jit = off as $$
begin
    return query
    select 0, s.slice, s.head_seq, null::bigint, null::int, s.store_id, null::uuid, null::uuid,
           null::text, null::text, null::bytea, null::timestamptz
    from @schema@.slices s where s.slice = any (p_ks)
    union all
    (select w.i, e.slice, e.seq, e.version, e.schema_id, e.event_id, e.command_id,
            coalesce(e.correlation_id, e.command_id), e.stream, e.type, e.payload, e.recorded_at
     from generate_subscripts(p_ks, 1) w(i)
     cross join lateral (
         select * from @schema@.event_log l
         where l.slice = p_ks[w.i] and l.stream = p_streams[w.i] and l.version > p_after[w.i]
         order by l.version
         offset 0) e);
end $$;
