-- What a person does to messages that wait or are dead. Each call is one transaction in one slice
-- of one processor: it takes the fence row, so that neither the owner nor another person changes
-- anything meanwhile, looks, changes, and raises the epoch where rows of `waiting` changed, so that
-- the owner reads them anew. Said of each id is what was done or why not; twice is once.

-- Their state changes, and no index tells of it: room for that on the page spares all of them.
alter table @schema@.dead_letters set (fillfactor = 75);
create index dead_letters_id on @schema@.dead_letters (id);
create index dead_letters_last on @schema@.dead_letters (last_at, id);

-- False when this store has no such lane.
create function @schema@.hold_fence(p_processor text, p_slice int, p_lock_timeout_ms int)
returns boolean language plpgsql volatile as $$
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    perform 1 from @schema@.owners o where o.processor = p_processor and o.k = p_slice for update;
    return found;
end $$;

create function @schema@.raise_epoch(p_processor text, p_slice int) returns void
language sql volatile as $$
    update @schema@.owners set epoch = epoch + 1 where processor = p_processor and k = p_slice
$$;

-- Packed headers (base/record_headers.h): the last of a name is the one that counts.
create function @schema@.header_text(p_headers bytea, p_name text) returns text
language plpgsql immutable as $$
declare
    v_name bytea := convert_to(p_name, 'UTF8');
    v_at int := 1;
    v_end int := octet_length(p_headers);
    v_n int;
    v_found bytea;
begin
    while v_at + 5 <= v_end loop
        v_n := (get_byte(p_headers, v_at - 1) << 8) | get_byte(p_headers, v_at);
        exit when v_at + 5 + v_n > v_end;
        declare
            v_this bytea := substring(p_headers from v_at + 2 for v_n);
            v_len int := ('x' || encode(substring(p_headers from v_at + 2 + v_n for 4), 'hex'))
                ::bit(32)::int;
        begin
            v_at := v_at + 6 + v_n;
            exit when v_len > v_end - v_at + 1;
            if v_this = v_name then
                v_found := substring(p_headers from v_at for greatest(v_len, 0));
            end if;
            v_at := v_at + greatest(v_len, 0);
        end;
    end loop;
    return convert_from(v_found, 'UTF8');
exception when character_not_in_repertoire or untranslatable_character then
    return null;
end $$;

create function @schema@.header_uuid(p_headers bytea, p_name text) returns uuid
language plpgsql immutable as $$
begin
    return @schema@.header_text(p_headers, p_name)::uuid;
exception when invalid_text_representation then
    return null;
end $$;

create function @schema@.pack_headers(p_names text[], p_values text[]) returns bytea
language sql immutable as $$
    select string_agg(int2send(octet_length(n.name)::int2) || n.name
                      || int4send(octet_length(n.value)) || n.value, '' order by n.i)
    from (select i, convert_to(p_names[i], 'UTF8') as name, convert_to(p_values[i], 'UTF8') as value
          from generate_subscripts(p_names, 1) i) n
$$;

-- A key as text; one that is none as its bytes in hexadecimal.
create function @schema@.key_text(p_key bytea) returns text language plpgsql immutable as $$
begin
    return convert_from(p_key, 'UTF8');
exception when character_not_in_repertoire or untranslatable_character then
    return p_key::text;
end $$;

-- A second chance: done, absent, redriving (it is under way), settled, quarantined or dropped
-- (unless forced), not_kept (its bytes are too large to be here). One that is held keeps its place
-- before those parked behind it, any other takes a ticket, in the order of the ids. Rows are looked
-- up one by one, by their ids: tables that have just grown have no statistics to plan by.
create function @schema@.dlq_redrive(
    p_processor text, p_slice int, p_ids uuid[], p_parks boolean, p_force boolean,
    p_lock_timeout_ms int)
returns table (id uuid, result text) language plpgsql volatile as $$
declare
    v_lane boolean := @schema@.hold_fence(p_processor, p_slice, p_lock_timeout_ms);
    v_results text[];
    v_done uuid[];
    v_ticket bigint;
    v_now timestamptz := clock_timestamp();
begin
    select array_agg(r.result order by r.i),
           array_agg(r.id order by r.i) filter (where r.result = 'done')
    into v_results, v_done
    from (select u.i, u.id, case
              when d.id is null or not v_lane then 'absent'
              when u.nth > 1 then 'redriving'
              when d.state in ('redriving', 'settled') then d.state
              when d.state <> 'dead' and not p_force then d.state
              when d.value is null and d.value_bytes > 0 then 'not_kept'
              else 'done' end as result
          from (select x.id, x.i, row_number() over (partition by x.id order by x.i) as nth
                from unnest(p_ids) with ordinality x(id, i)) u
          left join lateral (
              select n.id, n.state, n.value, n.value_bytes from @schema@.dead_letters n
              where n.processor = p_processor and n.slice = p_slice and n.id = u.id
              offset 0) d on true) r;
    if v_done is not null then
        update @schema@.waiting w
        set reason = 5, due_at = v_now, attempt = 0, first_at = null, error_code = null,
            error = null
        where w.processor = p_processor and w.slice = p_slice and w.id = any (v_done)
            and w.reason = 4;
        select coalesce(max(w.ticket), 0) into v_ticket from @schema@.waiting w
        where w.processor = p_processor and w.slice = p_slice;
        insert into @schema@.waiting (processor, slice, key, ticket, reason, parks, due_at, attempt,
            id, type, priority, topic, partition, record_offset, event_seq, received_at, headers,
            value)
        select p_processor, p_slice, coalesce(d.key, ''), v_ticket + u.i, 5, p_parks, v_now, 0,
            d.id, d.type, d.priority, d.topic, d.partition, d.record_offset, d.event_seq,
            coalesce((select c.received_at from @schema@.command_log c
                      where c.slice = p_slice and c.id = d.id and c.processor = p_processor),
                     d.first_at),
            d.headers, d.value
        from unnest(v_done) with ordinality u(id, i)
        cross join lateral (
            select * from @schema@.dead_letters n
            where n.processor = p_processor and n.slice = p_slice and n.id = u.id
            offset 0) d
        where not exists (
            select 1 from (select n.processor, n.slice from @schema@.waiting n where n.id = u.id
                           offset 0) w
            where w.processor = p_processor and w.slice = p_slice);
        update @schema@.dead_letters d
        set state = 'redriving', redrives = d.redrives + 1, changed_at = v_now
        where d.processor = p_processor and d.slice = p_slice and d.id = any (v_done);
        perform @schema@.raise_epoch(p_processor, p_slice);
    end if;
    return query select p_ids[i], v_results[i] from generate_subscripts(p_ids, 1) i;
end $$;

-- Given up for good, with a note: done, absent, redriving (cancel that first), settled, dropped.
-- What is parked behind one that is held goes on.
create function @schema@.dlq_drop(
    p_processor text, p_slice int, p_ids uuid[], p_note text, p_lock_timeout_ms int)
returns table (id uuid, result text) language plpgsql volatile as $$
declare
    v_lane boolean := @schema@.hold_fence(p_processor, p_slice, p_lock_timeout_ms);
    v_results text[];
    v_done uuid[];
begin
    select array_agg(r.result order by r.i),
           array_agg(p_ids[r.i]) filter (where r.result = 'done')
    into v_results, v_done
    from (select i, case
              when d.id is null or not v_lane then 'absent'
              when array_position(p_ids, d.id) < i then 'dropped'
              when d.state in ('dead', 'quarantined') then 'done'
              else d.state end as result
          from generate_subscripts(p_ids, 1) i
          left join @schema@.dead_letters d
              on d.processor = p_processor and d.slice = p_slice and d.id = p_ids[i]) r;
    if v_done is not null then
        update @schema@.dead_letters d
        set state = 'dropped', note = p_note, changed_at = clock_timestamp()
        where d.processor = p_processor and d.slice = p_slice and d.id = any (v_done);
        delete from @schema@.waiting w
        where w.processor = p_processor and w.slice = p_slice and w.id = any (v_done)
            and w.reason = 4;
        if found then
            perform @schema@.raise_epoch(p_processor, p_slice);
        end if;
    end if;
    return query select p_ids[i], v_results[i] from generate_subscripts(p_ids, 1) i;
end $$;

-- What waits under these ids, and whether it waits behind another of its key.
create function @schema@.waiting_of(p_processor text, p_slice int, p_ids uuid[])
returns table (i int, ticket bigint, key bytea, reason smallint, due_at timestamptz,
    behind boolean)
language sql stable as $$
    select distinct on (u.i) u.i, w.ticket, w.key, w.reason, w.due_at, w.parks and exists (
        select 1 from @schema@.waiting h
        where h.processor = p_processor and h.slice = p_slice and h.key = w.key
            and h.ticket < w.ticket and h.parks)
    from generate_subscripts(p_ids, 1) u(i)
    join @schema@.waiting w
        on w.id = p_ids[u.i] and w.processor = p_processor and w.slice = p_slice
    order by u.i, w.ticket
$$;

-- Due at once: done, absent, held (since its death: redrive or drop it), parked (behind another of
-- its key, whose turn comes first).
create function @schema@.waiting_now(
    p_processor text, p_slice int, p_ids uuid[], p_lock_timeout_ms int)
returns table (id uuid, result text) language plpgsql volatile as $$
declare
    v_lane boolean := @schema@.hold_fence(p_processor, p_slice, p_lock_timeout_ms);
    v_results text[];
    v_now timestamptz := clock_timestamp();
begin
    select array_agg(case when w.i is null or not v_lane then 'absent'
                          when w.reason = 4 then 'held'
                          when w.behind then 'parked' else 'done' end order by s.i)
    into v_results
    from generate_subscripts(p_ids, 1) s(i)
    left join @schema@.waiting_of(p_processor, p_slice, p_ids) w on w.i = s.i;
    update @schema@.waiting w set due_at = v_now
    from generate_subscripts(p_ids, 1) s(i)
    where v_results[s.i] = 'done' and w.id = p_ids[s.i] and w.processor = p_processor
        and w.slice = p_slice and w.due_at > v_now;
    if found then
        perform @schema@.raise_epoch(p_processor, p_slice);
    end if;
    return query select p_ids[i], v_results[i] from generate_subscripts(p_ids, 1) i;
end $$;

-- A message that waits dies by a person's word, as by its handler's: row, dead letter and record of
-- the topic of dead letters (none when p_topic is empty).
create function @schema@.bury_waiting(
    p_processor text, p_slice int, p_ids uuid[], p_tickets bigint[], p_aggregate text,
    p_topic text, p_message text)
returns void language plpgsql volatile as $$
declare
    v_head bigint;
    v_outbox bigint;
    v_now timestamptz := clock_timestamp();
begin
    select s.head_seq, s.outbox_seq into v_head, v_outbox from @schema@.slices s
    where s.slice = p_slice for update;
    update @schema@.command_log c
    set finished_at = v_now, error_code = 'cancelled', error_text = p_message
    from @schema@.waiting w
    where w.id = any (p_ids) and w.ticket = any (p_tickets) and w.processor = p_processor
        and w.slice = p_slice
        and c.slice = p_slice and c.id = w.id and c.processor = p_processor;
    insert into @schema@.command_log (first_seq, last_seq, received_at, finished_at, slice, outcome,
        attempts, id, type, stream, processor, priority, source, payload, error_code, error_text,
        correlation_id, causation_id)
    select v_head, v_head, w.received_at, v_now, p_slice, 3, w.attempt, w.id, w.type,
        case when p_aggregate = '' then '' else p_aggregate || '-' end || @schema@.key_text(w.key),
        p_processor, w.priority, coalesce(@schema@.header_text(w.headers, 'ce_source'), ''),
        coalesce(w.value, ''), 'cancelled', p_message,
        nullif(@schema@.header_uuid(w.headers, 'leat-correlation'), w.id),
        nullif(@schema@.header_uuid(w.headers, 'leat-causation'), w.id)
    from @schema@.waiting w
    where w.id = any (p_ids) and w.ticket = any (p_tickets) and w.processor = p_processor
        and w.slice = p_slice
        and not exists (select 1 from @schema@.command_log c where c.slice = p_slice
                        and c.id = w.id and c.processor = p_processor);
    insert into @schema@.dead_letters as d (processor, slice, id, key, type, priority, source,
        topic, partition, record_offset, event_seq, class, code, message, attempts, first_at,
        last_at, handler_version, headers, value, value_bytes, value_sha256)
    select p_processor, p_slice, w.id, w.key, w.type, w.priority,
        coalesce(@schema@.header_text(w.headers, 'ce_source'), ''), w.topic, w.partition,
        w.record_offset, w.event_seq, 'cancelled', 'cancelled', p_message, w.attempt,
        coalesce(w.first_at, w.received_at), v_now, 0, w.headers, w.value,
        coalesce(octet_length(w.value), 0), sha256(coalesce(w.value, ''))
    from @schema@.waiting w
    where w.id = any (p_ids) and w.ticket = any (p_tickets) and w.processor = p_processor
        and w.slice = p_slice
    on conflict (processor, slice, id) do update
    set class = excluded.class, code = excluded.code, message = excluded.message,
        attempts = excluded.attempts, last_at = excluded.last_at, state = 'dead',
        changed_at = v_now;
    if p_topic <> '' then
        insert into @schema@.outbox (seq, slice, partition, topic, key, headers, value)
        select v_outbox + row_number() over (order by w.ticket), p_slice, p_slice, p_topic, w.key,
            w.headers || @schema@.pack_headers(
                '{__leat.errors.topic,__leat.errors.partition,__leat.errors.offset,'
                '__leat.errors.class,__leat.errors.code,__leat.errors.message,'
                '__leat.errors.attempts,__leat.errors.first,__leat.errors.last,'
                '__leat.errors.handler,__leat.errors.version}',
                array[w.topic, w.partition::text, w.record_offset::text, 'cancelled', 'cancelled',
                      p_message, w.attempt::text,
                      floor(extract(epoch from coalesce(w.first_at, w.received_at)) * 1000)::text,
                      floor(extract(epoch from v_now) * 1000)::text, p_processor, '0']),
            w.value
        from @schema@.waiting w
        where w.id = any (p_ids) and w.ticket = any (p_tickets) and w.processor = p_processor
        and w.slice = p_slice;
        update @schema@.slices s set outbox_seq = s.outbox_seq + cardinality(p_tickets)
        where s.slice = p_slice;
    end if;
end $$;

-- Waits no more: done (a scheduled command, or a copy of one that is settled: the row goes), dead
-- (given up, with code "cancelled"), absent, held (redrive or drop it).
create function @schema@.waiting_cancel(
    p_processor text, p_slice int, p_ids uuid[], p_aggregate text, p_topic text, p_message text,
    p_lock_timeout_ms int)
returns table (id uuid, result text) language plpgsql volatile as $$
declare
    v_lane boolean := @schema@.hold_fence(p_processor, p_slice, p_lock_timeout_ms);
    v_results text[];
    v_done uuid[];
    v_dead bigint[]; -- tickets
begin
    select array_agg(r.result order by r.i),
           array_agg(p_ids[r.i]) filter (where r.result in ('done', 'dead')),
           array_agg(r.ticket) filter (where r.result = 'dead')
    into v_results, v_done, v_dead
    from (select s.i, w.ticket, case
              when w.i is null or not v_lane or array_position(p_ids, p_ids[s.i]) < s.i
                  then 'absent'
              when w.reason = 4 then 'held'
              when w.reason = 3 or exists (
                  select 1 from @schema@.command_log c where c.slice = p_slice
                      and c.id = p_ids[s.i] and c.processor = p_processor and c.outcome <> 3)
                  then 'done'
              else 'dead' end as result
          from generate_subscripts(p_ids, 1) s(i)
          left join @schema@.waiting_of(p_processor, p_slice, p_ids) w on w.i = s.i) r;
    if v_done is not null then
        if v_dead is not null then
            perform @schema@.bury_waiting(p_processor, p_slice, p_ids, v_dead, p_aggregate,
                                          p_topic, p_message);
        end if;
        delete from @schema@.waiting w -- copies too, else one would be a second chance
        where w.id = any (v_done) and w.reason <> 4 and w.processor = p_processor
            and w.slice = p_slice;
        perform @schema@.raise_epoch(p_processor, p_slice);
    end if;
    return query select p_ids[i], v_results[i] from generate_subscripts(p_ids, 1) i;
end $$;
