-- The only writer of slices (design 3). VOLATILE under READ COMMITTED: each statement below has a
-- snapshot of its own and so sees what the lock before it waited for.
--
-- Parameters are columns: f_ fences (k ascending), l_ lanes, c_ commands, e_ events, o_ outbox;
-- indexes are 1-based and positions relative to the head of the slice, as if everything is stored;
-- that holds nearly always, and only when it does not are they computed again (settle_batch).
-- Columns that may be null as a whole hold defaults. p_dict holds repeated texts once.

-- What every transaction that writes wants; nothing outlives it, so a pooler may share the session.
-- Plans are made when the tables are empty and kept while they grow: they must not need statistics.
create function @schema@.begin_write(p_lock_timeout_ms int) returns void
language plpgsql as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'the store must be written in read committed, not %',
            current_setting('transaction_isolation') using errcode = 'LE011';
    end if;
    perform set_config('lock_timeout', p_lock_timeout_ms::text, true),
            set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true),
            set_config('plan_cache_mode', 'force_generic_plan', true);
    perform @schema@.check_server();
    if current_setting('synchronous_commit') in ('off', 'local', 'remote_write') then
        perform set_config('synchronous_commit', 'on', true);
    end if;
end $$;

-- Takes the rows append_batch takes, in the same order.
create function @schema@.lock_batch(p_processor text, f_k int[], p_lock_timeout_ms int)
returns void language plpgsql as $$
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    perform 1 from @schema@.owners where processor = p_processor and k = any (f_k)
        order by k for update;
    perform 1 from @schema@.slices where slice = any (f_k) order by slice for update;
end $$;

-- What becomes of each command when not all can be stored as they are: settled is 0 stored,
-- 1 duplicate, 2 conflict, 3 left out; base is the version of its stream before its first event.
-- A duplicate or conflict takes every later command of its stream with it: those were decided on
-- events that do not exist. A known id is a duplicate wherever it stands: ids are looked up when
-- asked for, and where a stream conflicts, as nothing of it is inserted that would show it. One
-- that is known as dead is not: it has been given another chance, by whatever way.
-- Versions come from the events after f_since, unless that is not known or p_deep.
create function @schema@.settle_batch(
    p_processor text, p_deep boolean, p_ids boolean, f_k int[], f_result smallint[],
    f_since bigint[], f_head bigint[], c_fence int[], c_id uuid[], c_stream text[],
    c_expected bigint[], c_outcome smallint[], e_command int[],
    out settled smallint[], out base bigint[])
language plpgsql as $$
declare
    v_row record;
    v_events int[];
    v_k int; -- one slice at a time, so that each plan touches one leaf
    v_since bigint;
    v_head bigint;
begin
    settled := array_fill(3::smallint, array[cardinality(c_id)]);
    base := array_fill(0::bigint, array[cardinality(c_id)]);
    select array_agg(coalesce(n.n, 0) order by i) into v_events
    from generate_subscripts(c_id, 1) i
    left join (select c, count(*)::int as n from unnest(e_command) c group by c) n on n.c = i;
    for f in 1 .. cardinality(f_k) loop
        continue when f_result[f] <> 0;
        v_k := f_k[f];
        v_head := f_head[f];
        v_since := case when f_since[f] < 0 or v_head - f_since[f] > 20000 or p_deep then null
                        else f_since[f] end;
        for v_row in
            with asked as materialized (
                select i, c_id[i] as id, c_stream[i] as stream,
                       case when c_stream[i] = '' then i else 0 end as alone,
                       coalesce(c_expected[i], -1) as expected,
                       coalesce(c_outcome[i], 1) = 4 as forwarded, v_events[i] as n
                from generate_subscripts(c_id, 1) i where c_fence[i] = f
            ), changed as materialized (
                select e.stream, max(e.version) as version from @schema@.event_log e
                where e.slice = v_k and e.seq > v_since and e.seq <= v_head
                group by e.stream
            ), actual as materialized (
                select distinct on (a.stream) a.stream, a.expected,
                       case when v_since is null or (c.version is null and a.expected < 0) then
                           coalesce((select e.version from @schema@.event_log e
                                     where e.slice = v_k and e.stream = a.stream
                                     order by e.version desc limit 1), 0)
                       else coalesce(c.version, a.expected) end as version
                from asked a left join changed c on c.stream = a.stream
                order by a.stream, a.i
            ), seen as (
                -- a scalar query, as the planner may answer `exists` by reading the whole leaf
                select a.*, v.version as actual, not a.forwarded
                       and (p_ids or (v.expected >= 0 and v.expected <> v.version)) and (
                           select true from @schema@.command_log x
                           where x.slice = v_k and x.id = a.id and x.processor = p_processor
                               and x.outcome <> 3
                           limit 1) is not null as known,
                       first_value(i) over (partition by a.id, a.forwarded order by i) as first_i
                from asked a join actual v on v.stream = a.stream
            ), counted as (
                select *, (known or (first_i <> i and not forwarded)) as dup,
                       actual + sum(n) over (partition by stream, alone order by i) - n as run
                from seen
            )
            select i, first_i, forwarded, known, dup, run,
                   bool_or(dup or (expected >= 0 and expected <> run))
                       over (partition by stream, alone order by i) as spoiled
            from counted
            order by i
        loop
            base[v_row.i] := v_row.run;
            -- The second of two in one batch is settled only if the first is.
            settled[v_row.i] := case
                when v_row.forwarded then 0
                when v_row.dup and not v_row.known and settled[v_row.first_i] = 2 then 2
                when v_row.dup then 1 when v_row.spoiled then 2 else 0 end;
        end loop;
    end loop;
end $$;

create function @schema@.append_batch(
    p_processor text, p_dict text[], p_look_up boolean, p_lock_timeout_ms int,
    f_k int[], f_epoch bigint[], f_since bigint[], f_events int[], f_outbox int[],
    l_topic text[], l_fence int[], l_first bigint[], l_next bigint[], l_fingerprint bigint[],
    l_next_seq bigint[],
    c_order int[], c_fence int[], c_id uuid[], c_type int[], c_stream text[], c_priority int[],
    c_source text[], c_payload bytea[], c_received timestamptz[], c_first int[], c_last int[],
    c_expected bigint[], c_lane int[], c_offset bigint[],
    c_outcome smallint[], c_attempts int[], c_error_code text[], c_error_text text[],
    c_correlation uuid[], c_causation uuid[],
    e_order int[], e_command int[], e_rel int[], e_version bigint[], e_schema int[],
    e_type int[], e_id uuid[], e_payload bytea[], e_headers jsonb[],
    o_command int[], o_rel int[], o_partition int[], o_topic int[], o_key bytea[],
    o_headers bytea[], o_value bytea[],
    out recorded_at timestamptz, out f_result smallint[], out f_head bigint[],
    out f_head_after bigint[], out f_outbox_seq bigint[], out f_outbox_after bigint[],
    out f_store uuid[], out c_settled smallint[], out l_at bigint[])
language plpgsql volatile as $$
declare
    v_epochs bigint[];
    v_ks int[];
    v_base bigint[];
    v_fences int := cardinality(f_k);
    v_careful boolean := p_look_up; -- settle_batch decides, else everything is stored
    v_ids boolean := false; -- an id is already there
    v_deep boolean := false; -- a version is already there, so those expected were wrong
    v_table text;
begin
    perform @schema@.begin_write(p_lock_timeout_ms);

    -- (1) fence rows, in order; then the lanes, which nobody moves without the fence row
    f_result := array_fill(0::smallint, array[v_fences]);
    select array_agg(s.k), array_agg(s.epoch) into v_ks, v_epochs
    from (select k, epoch from @schema@.owners where processor = p_processor and k = any (f_k)
          order by k for update) s;
    if v_epochs is distinct from f_epoch then
        for i in 1 .. v_fences loop
            if f_epoch[i] >= 0
                and v_epochs[array_position(v_ks, f_k[i])] is distinct from f_epoch[i] then
                f_result[i] := 1;
                v_careful := true;
            end if;
        end loop;
    end if;
    if cardinality(l_topic) > 0 then
        select array_agg(l.next_offset order by i) into l_at
        from generate_subscripts(l_topic, 1) i
        left join @schema@.lanes l on l.processor = p_processor and l.topic = l_topic[i]
            and l.k = f_k[l_fence[i]];
        if l_at is distinct from l_first then
            for i in 1 .. cardinality(l_topic) loop
                if l_at[i] <> l_first[i] and f_result[l_fence[i]] = 0 then
                    f_result[l_fence[i]] := 2;
                    v_careful := true;
                end if;
            end loop;
        end if;
    end if;

    -- (2) head rows, in slice order
    select array_agg(s.head_seq), array_agg(s.outbox_seq), array_agg(s.store_id)
    into f_head, f_outbox_seq, f_store
    from (select head_seq, outbox_seq, store_id from @schema@.slices where slice = any (f_k)
          order by slice for update) s;
    if coalesce(cardinality(f_head), 0) <> v_fences then
        raise exception 'a slice of % is not in this store', f_k using errcode = 'LE001';
    end if;
    recorded_at := clock_timestamp();

    -- (3) versions: what was right as of `since` still is, unless its stream has a later event.
    -- Without statistics the planner would compare all with all: `is true` makes the list a hash,
    -- both bounds make the range an index scan.
    if not v_careful and f_head <> f_since then
        for i in 1 .. v_fences loop
            continue when f_head[i] = f_since[i];
            v_careful := f_since[i] < 0 or f_head[i] - f_since[i] > 20000 or exists (
                select 1 from @schema@.event_log e
                where e.slice = f_k[i] and e.seq > f_since[i] and e.seq <= f_head[i]
                    and (e.stream in (select unnest(c_stream))) is true);
            exit when v_careful;
        end loop;
    end if;

    loop
        if v_careful then
            -- (4) numbers, again, over what can be stored
            select s.settled, s.base into c_settled, v_base
            from @schema@.settle_batch(p_processor, v_deep, v_ids, f_k, f_result,
                f_since, f_head, c_fence, c_id, c_stream, c_expected, c_outcome,
                e_command) s;
            select array_agg(s.rel order by s.j), array_agg(s.version order by s.j)
            into e_rel, e_version
            from (select j, row_number() over (
                             partition by c_fence[e_command[j]], c_settled[e_command[j]] = 0
                             order by j)::int as rel,
                         v_base[e_command[j]] + row_number() over (
                             partition by e_command[j] order by j) as version
                  from generate_subscripts(e_command, 1) j) s;
            select array_agg(s.rel order by s.j) into o_rel
            from (select j, row_number() over (
                             partition by c_fence[o_command[j]], c_settled[o_command[j]] = 0
                             order by j)::int as rel
                  from generate_subscripts(o_command, 1) j) s;
            select array_agg(coalesce(e.n, 0) order by i), array_agg(coalesce(o.n, 0) order by i)
            into f_events, f_outbox
            from generate_series(1, v_fences) i
            left join (select c_fence[c] as f, count(*)::int as n from unnest(e_command) c
                       where c_settled[c] = 0 group by c_fence[c]) e on e.f = i
            left join (select c_fence[c] as f, count(*)::int as n from unnest(o_command) c
                       where c_settled[c] = 0 group by c_fence[c]) o on o.f = i;
            select array_agg(coalesce(s.first_rel, f_events[c_fence[i]]) order by i),
                   array_agg(coalesce(s.last_rel, f_events[c_fence[i]]) order by i)
            into c_first, c_last
            from generate_subscripts(c_id, 1) i
            left join (select e_command[j] as c, min(e_rel[j]) as first_rel,
                              max(e_rel[j]) as last_rel
                       from generate_subscripts(e_command, 1) j group by e_command[j]) s on s.c = i;
        end if;

        -- (5) rows. The unique indexes find duplicates: a look-up of its own would cost a second
        -- descent per command, and the slice is locked, so nobody else is inserting.
        begin
            if v_ids then
                with gone as (
                    delete from @schema@.command_log x using unnest(c_order) i
                    where x.slice = f_k[c_fence[i]] and x.id = c_id[i]
                        and x.processor = p_processor and x.outcome = 3 and c_settled[i] = 0
                    returning x.slice, x.id)
                update @schema@.dead_letters d
                set state = 'settled', changed_at = append_batch.recorded_at
                from gone
                where d.processor = p_processor and d.slice = gone.slice and d.id = gone.id;
            end if;
            insert into @schema@.command_log (first_seq, last_seq, received_at, finished_at, slice,
                outcome, attempts, id, type, stream, processor, priority, source, payload,
                error_code, error_text, correlation_id, causation_id)
            select f_head[c_fence[i]] + c_first[i], f_head[c_fence[i]] + c_last[i], c_received[i],
                append_batch.recorded_at, f_k[c_fence[i]], coalesce(c_outcome[i], 1::smallint),
                coalesce(c_attempts[i], 0), c_id[i], p_dict[c_type[i]], c_stream[i], p_processor,
                p_dict[c_priority[i]], c_source[i], c_payload[i], c_error_code[i], c_error_text[i],
                c_correlation[i], c_causation[i]
            from unnest(c_order) i
            where c_settled is null or c_settled[i] = 0;

            insert into @schema@.event_log (seq, version, recorded_at, slice, schema_id, event_id,
                command_id, stream, type, payload, correlation_id, headers)
            select f_head[c_fence[e_command[j]]] + e_rel[j], e_version[j], append_batch.recorded_at,
                f_k[c_fence[e_command[j]]], e_schema[j], e_id[j], c_id[e_command[j]],
                c_stream[e_command[j]], p_dict[e_type[j]], e_payload[j],
                c_correlation[e_command[j]], e_headers[j]
            from unnest(e_order) j
            where c_settled is null or c_settled[e_command[j]] = 0;
            exit;
        exception when unique_violation then
            get stacked diagnostics v_table = table_name;
            if v_table like 'command%' and not v_ids then
                v_ids := true;
            elsif v_table like 'event%' and not v_deep then
                v_deep := true;
            else
                raise;
            end if;
            v_careful := true;
        end;
    end loop;
    if cardinality(o_command) > 0 then
        insert into @schema@.outbox (seq, slice, partition, topic, key, headers, value)
        select f_outbox_seq[c_fence[o_command[j]]] + o_rel[j], f_k[c_fence[o_command[j]]],
            o_partition[j], p_dict[o_topic[j]], o_key[j], o_headers[j], o_value[j]
        from generate_series(1, cardinality(o_command)) j
        where c_settled is null or c_settled[o_command[j]] = 0;
    end if;
    update @schema@.slices s
    set head_seq = s.head_seq + u.events, outbox_seq = s.outbox_seq + u.outbox
    from unnest(f_k, f_events, f_outbox) u(k, events, outbox)
    where s.slice = u.k and (u.events > 0 or u.outbox > 0);
    select array_agg(f_head[i] + f_events[i] order by i),
           array_agg(f_outbox_seq[i] + f_outbox[i] order by i)
    into f_head_after, f_outbox_after
    from generate_series(1, v_fences) i;

    -- (6) lanes: low-water marks, never past a message that is not settled
    if cardinality(l_topic) > 0 then
        if c_settled is not null then
            select array_agg(case when f_result[l_fence[i]] <> 0 then null
                                  when s.lowest is null then l_next[i]
                                  when l_next_seq[i] > 0 then l_first[i]
                                  else least(s.lowest, l_next[i]) end order by i)
            into v_base
            from generate_subscripts(l_topic, 1) i
            left join (select c_lane[c] as lane, min(c_offset[c]) as lowest
                       from generate_subscripts(c_id, 1) c where c_settled[c] = 2
                       group by c_lane[c]) s on s.lane = i;
        else
            v_base := l_next;
        end if;
        if array_position(l_at, null) is not null then
            insert into @schema@.lanes (processor, topic, k, next_offset)
            select p_processor, l_topic[i], f_k[l_fence[i]], l_first[i]
            from generate_subscripts(l_topic, 1) i
            where l_at[i] is null and v_base[i] is not null
            on conflict do nothing;
        end if;
        update @schema@.lanes l
        set next_offset = v_base[i],
            fingerprint = case when v_base[i] = l_next[i] then l_fingerprint[i] else 0 end,
            next_seq = case when v_base[i] = l_next[i] then l_next_seq[i] else l.next_seq end
        from generate_subscripts(l_topic, 1) i
        where l.processor = p_processor and l.topic = l_topic[i] and l.k = f_k[l_fence[i]]
            and v_base[i] is not null
            and (v_base[i] <> l.next_offset or v_base[i] = l_next[i]);
        select array_agg(coalesce(v_base[i], l_at[i], l_first[i]) order by i) into l_at
        from generate_subscripts(l_topic, 1) i;
    end if;
end $$;
