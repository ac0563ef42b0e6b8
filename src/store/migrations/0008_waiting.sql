-- What few batches have: snapshots of streams, rows of the waiting room, dead letters. In a function
-- of its own, so that the others do not pay for it.

-- append_batch, and with it: the states of streams after the last of their commands in the batch,
-- each kept if that command is stored (then all of its stream before it are, as a conflict or
-- duplicate takes the later ones of its stream with it); w_, what becomes of rows of `waiting`, with
-- the command it belongs to, or with the fence alone (w_command 0): 1 put, 2 take, 3 again, 4 cancel
-- by id; d_, dead letters of commands. The row of a duplicate goes: it has been handled.
create function @schema@.append_batch_with(
    p_processor text, p_dict text[], boolean, int,
    f_k int[], bigint[], bigint[], int[], int[],
    text[], int[], bigint[], bigint[], bigint[], bigint[],
    int[], c_fence int[], c_id uuid[], c_type int[], c_stream text[], c_priority int[],
    c_source text[], bytea[], timestamptz[], int[], int[], bigint[], int[], bigint[],
    smallint[], c_attempts int[], c_error_code text[], c_error_text text[], uuid[], uuid[],
    int[], int[], int[], bigint[], int[], int[], uuid[], bytea[], jsonb[],
    int[], int[], int[], int[], bytea[], bytea[], bytea[],
    s_aggregate_version int, s_state_schema bigint, s_command int[], s_version bigint[],
    s_checksum bigint[], s_state bytea[],
    w_op smallint[], w_command int[], w_fence int[], w_key bytea[], w_ticket bigint[],
    w_reason smallint[], w_parks smallint[], w_due timestamptz[], w_attempt int[], w_id uuid[],
    w_type text[], w_priority text[], w_topic text[], w_partition int[], w_offset bigint[],
    w_seq bigint[], w_received timestamptz[], w_first timestamptz[], w_code text[],
    w_error text[], w_headers bytea[], w_value bytea[],
    d_command int[], d_key bytea[], d_topic text[], d_partition int[], d_offset bigint[],
    d_seq bigint[], d_class text[], d_first timestamptz[], d_last timestamptz[],
    d_version int[], d_headers bytea[], d_value bytea[], d_bytes bigint[], d_sha256 bytea[],
    out recorded_at timestamptz, out f_result smallint[], out f_head bigint[],
    out f_head_after bigint[], out f_outbox_seq bigint[], out f_outbox_after bigint[],
    out f_store uuid[], out c_settled smallint[], out l_at bigint[])
language plpgsql volatile as $$
declare
    v_state smallint[]; -- of each w_ row: 0 do it, 1 its command is a duplicate, else leave it
begin
    select * into recorded_at, f_result, f_head, f_head_after, f_outbox_seq, f_outbox_after,
        f_store, c_settled, l_at
    from @schema@.append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
        $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33,
        $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51);

    insert into @schema@.snapshots as s
        (slice, stream, version, aggregate_version, state_schema, checksum, state, created_at)
    select f_k[c_fence[s_command[i]]], c_stream[s_command[i]], s_version[i], s_aggregate_version,
        s_state_schema, s_checksum[i], s_state[i], append_batch_with.recorded_at
    from generate_subscripts(s_command, 1) i
    where c_settled is null or c_settled[s_command[i]] = 0
    on conflict (slice, stream) do update
    set version = excluded.version, aggregate_version = excluded.aggregate_version,
        state_schema = excluded.state_schema, checksum = excluded.checksum,
        state = excluded.state, created_at = excluded.created_at;

    if cardinality(w_op) > 0 then
        select array_agg(case when f_result[w_fence[i]] <> 0 then 3
                              when w_command[i] = 0 or c_settled is null then 0
                              else c_settled[w_command[i]] end::smallint order by i)
        into v_state from generate_subscripts(w_op, 1) i;
        delete from @schema@.waiting w using generate_subscripts(w_op, 1) i
        where ((w_op[i] = 2 and v_state[i] in (0, 1)) or (w_op[i] = 3 and v_state[i] = 1))
            and w.processor = p_processor and w.slice = f_k[w_fence[i]] and w.key = w_key[i]
            and w.ticket = w_ticket[i];
        update @schema@.waiting w
        set reason = w_reason[i], due_at = w_due[i], attempt = w_attempt[i], first_at = w_first[i],
            error_code = w_code[i], error = w_error[i]
        from generate_subscripts(w_op, 1) i
        where w_op[i] = 3 and v_state[i] = 0
            and w.processor = p_processor and w.slice = f_k[w_fence[i]] and w.key = w_key[i]
            and w.ticket = w_ticket[i];
        insert into @schema@.waiting (processor, slice, key, ticket, reason, parks, due_at, attempt,
            id, type, priority, topic, partition, record_offset, event_seq, received_at, first_at,
            error_code, error, headers, value)
        select p_processor, f_k[w_fence[i]], w_key[i], w_ticket[i], w_reason[i], w_parks[i] <> 0,
            w_due[i], w_attempt[i], w_id[i], w_type[i], w_priority[i], w_topic[i], w_partition[i],
            w_offset[i], w_seq[i], w_received[i], w_first[i], w_code[i], w_error[i], w_headers[i],
            w_value[i]
        from generate_subscripts(w_op, 1) i
        where w_op[i] = 1 and v_state[i] = 0;
        delete from @schema@.waiting w using generate_subscripts(w_op, 1) i
        where w_op[i] = 4 and v_state[i] = 0
            and w.processor = p_processor and w.slice = f_k[w_fence[i]] and w.id = w_id[i]
            and w.reason = 3;
    end if;

    insert into @schema@.dead_letters as d (processor, slice, id, key, type, priority, source,
        topic, partition, record_offset, event_seq, class, code, message, attempts, first_at,
        last_at, handler_version, headers, value, value_bytes, value_sha256, changed_at)
    select p_processor, f_k[c_fence[c]], c_id[c], d_key[i], p_dict[c_type[c]],
        p_dict[c_priority[c]], c_source[c], d_topic[i], d_partition[i], d_offset[i], d_seq[i],
        d_class[i], coalesce(c_error_code[c], ''), coalesce(c_error_text[c], ''),
        coalesce(c_attempts[c], 0) + 1, d_first[i], d_last[i], d_version[i], d_headers[i],
        d_value[i], d_bytes[i], d_sha256[i], append_batch_with.recorded_at
    from generate_subscripts(d_command, 1) i, lateral (select d_command[i]) x(c)
    where c_settled is null or c_settled[c] = 0
    on conflict (processor, slice, id) do update
    set class = excluded.class, code = excluded.code, message = excluded.message,
        attempts = excluded.attempts, last_at = excluded.last_at,
        handler_version = excluded.handler_version, changed_at = excluded.changed_at,
        state = case when d.redrives >= 3 then 'quarantined' else 'dead' end;
end $$;

-- Rows of whole ks, without their bytes, for who has just acquired them.
create function @schema@.waiting_keys(p_processor text, p_ks int[])
returns table (slice int, key bytea, ticket bigint, due_at timestamptz, parks boolean)
language sql stable set enable_seqscan = off set jit = off as $$
    select w.slice, w.key, w.ticket, w.due_at, w.parks
    from @schema@.waiting w where w.processor = p_processor and w.slice = any (p_ks)
    order by w.slice, w.ticket
$$;

-- The rows asked for, whole, as far as they are there.
create function @schema@.waiting_rows(
    p_processor text, p_ks int[], p_keys bytea[], p_tickets bigint[])
returns table (asked int, slice int, key bytea, ticket bigint, due_at timestamptz, parks boolean,
    reason int, attempt int, id uuid, type text, priority text, topic text, partition int,
    record_offset bigint, event_seq bigint, received_at timestamptz, first_at timestamptz,
    error_code text, error text, headers bytea, value bytea)
language sql stable set enable_seqscan = off set jit = off as $$
    select i, w.slice, w.key, w.ticket, w.due_at, w.parks, w.reason::int, w.attempt, w.id, w.type,
        w.priority, w.topic, w.partition, w.record_offset, w.event_seq, w.received_at, w.first_at,
        w.error_code, w.error, w.headers, w.value
    from generate_subscripts(p_ks, 1) i
    cross join lateral (
        select * from @schema@.waiting n
        where n.processor = p_processor and n.slice = p_ks[i] and n.key = p_keys[i]
            and n.ticket = p_tickets[i]
        offset 0) w
    order by i
$$;
