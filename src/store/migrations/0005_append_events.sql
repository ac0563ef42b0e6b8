-- Appending from any language: the same rules, the same function underneath.

-- Kafka's murmur2 of a key, for the slice it belongs to: (murmur2 & 0x7fffffff) % partitions.
create function @schema@.murmur2(p_key bytea) returns bigint
language plpgsql immutable strict as $$
declare
    c_m constant bigint := 1540483477; -- 0x5bd1e995
    c_32 constant bigint := 4294967295;
    v_len int := octet_length(p_key);
    v_h bigint := (2538058380 # v_len) & c_32; -- Kafka's seed 0x9747b28c
    v_k bigint;
    v_at int := 0;
begin
    while v_len - v_at >= 4 loop
        v_k := get_byte(p_key, v_at)::bigint | (get_byte(p_key, v_at + 1)::bigint << 8)
            | (get_byte(p_key, v_at + 2)::bigint << 16) | (get_byte(p_key, v_at + 3)::bigint << 24);
        v_k := @schema@.mul32(v_k, c_m);
        v_k := @schema@.mul32(v_k # (v_k >> 24), c_m);
        v_h := @schema@.mul32(v_h, c_m) # v_k;
        v_at := v_at + 4;
    end loop;
    if v_at < v_len then
        for i in reverse v_len - v_at - 1 .. 0 loop
            v_h := v_h # (get_byte(p_key, v_at + i)::bigint << (8 * i));
        end loop;
        v_h := @schema@.mul32(v_h, c_m);
    end if;
    v_h := @schema@.mul32(v_h # (v_h >> 13), c_m);
    return v_h # (v_h >> 15);
end $$;

-- a * b modulo 2^32 without leaving 63 bits.
create function @schema@.mul32(a bigint, b bigint) returns bigint
language sql immutable strict as $$
    select ((a & 65535) * b + ((((a >> 16) * (b & 65535)) & 65535) << 16)) & 4294967295
$$;

-- The slice of a stream `<aggregate>-<key>`.
create function @schema@.slice_of(p_stream text) returns int
language plpgsql stable strict as $$
declare
    v_dash int := position('-' in p_stream);
begin
    if v_dash < 2 or v_dash = length(p_stream) then
        raise exception 'stream "%" is not of the form <aggregate>-<key>', p_stream
            using errcode = 'invalid_parameter_value';
    end if;
    return (@schema@.murmur2(convert_to(substr(p_stream, v_dash + 1), 'UTF8')) & 2147483647)
        % (select partitions from @schema@.topology);
end $$;

-- expected: -1 any, 0 must be new. LE002 conflict, LE003 duplicate command, LE001 slice not here.
create function @schema@.append_events(
    stream text, expected bigint, command_id uuid, types text[], payloads bytea[],
    schema_ids int[], headers jsonb default null)
returns table (version bigint, slice int, seq bigint)
language plpgsql volatile as $$
declare
    v_n int := coalesce(cardinality(types), 0);
    v_slice int := @schema@.slice_of(append_events.stream);
    v_ids uuid[];
    v_got record;
    v_actual bigint;
begin
    if stream is null or expected is null or expected < -1 or command_id is null or v_n = 0
        or cardinality(payloads) is distinct from v_n
        or cardinality(schema_ids) is distinct from v_n
        or array_position(types, null) is not null or array_position(payloads, null) is not null
        or array_position(schema_ids, null) is not null then
        raise exception 'append_events wants a stream, an expected version of at least -1, a '
            'command id and arrays of equal length, at least one event, without nulls'
            using errcode = 'invalid_parameter_value';
    end if;
    if exists (select 1 from @schema@.command_log c
               where c.slice = v_slice and c.id = append_events.command_id) then
        raise exception 'command % is known', command_id using errcode = 'LE003';
    end if;
    -- The same ids for the same command, as with a processor's events.
    select array_agg(overlay(overlay(md5(command_id::text || '/e/' || i) placing '8' from 13)
                             placing '8' from 17)::uuid order by i)
    into v_ids from generate_series(1, v_n) i;
    select b.* into v_got from @schema@.append_batch(
        '', types || '{append_events,none}'::text[], true, 5000,
        array[v_slice], '{-1}', '{-1}', array[v_n], '{0}',
        '{}', '{}', '{}', '{}', '{}', '{}',
        '{1}', '{1}', array[command_id], array[v_n + 1], array[stream], array[v_n + 2],
        '{sql}', '{""}', array[clock_timestamp()], '{1}', array[v_n],
        array[expected], '{0}', '{-1}', null, null, null, null, null, null,
        array(select generate_series(1, v_n)), array_fill(1, array[v_n]),
        array(select generate_series(1, v_n)),
        array_fill(0::bigint, array[v_n]), schema_ids, array(select generate_series(1, v_n)), v_ids,
        payloads, case when headers is not null then array_fill(headers, array[v_n]) end,
        '{}', '{}', '{}', '{}', '{}', '{}', '{}') b;
    if v_got.c_settled[1] = 1 then
        raise exception 'command % is known', command_id using errcode = 'LE003';
    elsif v_got.c_settled[1] = 2 then
        select coalesce(max(e.version), 0) into v_actual from @schema@.event_log e
        where e.slice = v_slice and e.stream = append_events.stream;
        raise exception 'stream "%" is not at version %', stream, expected using errcode = 'LE002',
            detail = format('stream %s, expected %s, actual %s', stream, expected, v_actual);
    end if;
    return query
    select e.version, e.slice, e.seq from @schema@.event_log e
    where e.slice = v_slice and e.seq > v_got.f_head[1] and e.seq <= v_got.f_head_after[1]
    order by e.seq;
end $$;
