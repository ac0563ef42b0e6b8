-- Snapshots: written with a batch, read with the streams that lack a state, cleaned when void.

-- append_batch, and the states of streams after the last of their commands in the batch, each kept
-- if that command is stored: then all of its stream before it are, as a conflict or duplicate takes
-- the later ones of its stream with it. A function of its own: most batches have no snapshots.
create function @schema@.append_batch_with_snapshots(
    text, text[], boolean, int,
    f_k int[], bigint[], bigint[], int[], int[],
    text[], int[], bigint[], bigint[], bigint[], bigint[],
    int[], c_fence int[], uuid[], int[], c_stream text[], int[],
    text[], bytea[], timestamptz[], int[], int[], bigint[], int[], bigint[],
    smallint[], int[], text[], text[], uuid[], uuid[],
    int[], int[], int[], bigint[], int[], int[], uuid[], bytea[], jsonb[],
    int[], int[], int[], int[], bytea[], bytea[], bytea[],
    s_aggregate_version int, s_state_schema bigint, s_command int[], s_version bigint[],
    s_checksum bigint[], s_state bytea[],
    out recorded_at timestamptz, out f_result smallint[], out f_head bigint[],
    out f_head_after bigint[], out f_outbox_seq bigint[], out f_outbox_after bigint[],
    out f_store uuid[], out c_settled smallint[], out l_at bigint[])
language plpgsql volatile as $$
begin
    select * into recorded_at, f_result, f_head, f_head_after, f_outbox_seq, f_outbox_after,
        f_store, c_settled, l_at
    from @schema@.append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
        $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33,
        $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51);
    insert into @schema@.snapshots as s
        (slice, stream, version, aggregate_version, state_schema, checksum, state, created_at)
    select f_k[c_fence[s_command[i]]], c_stream[s_command[i]], s_version[i], s_aggregate_version,
        s_state_schema, s_checksum[i], s_state[i], append_batch_with_snapshots.recorded_at
    from generate_subscripts(s_command, 1) i
    where c_settled is null or c_settled[s_command[i]] = 0
    on conflict (slice, stream) do update
    set version = excluded.version, aggregate_version = excluded.aggregate_version,
        state_schema = excluded.state_schema, checksum = excluded.checksum,
        state = excluded.state, created_at = excluded.created_at;
end $$;

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
