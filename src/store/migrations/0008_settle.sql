-- settle_batch as before, but for ids of streams that conflict: a command that is known already
-- was told to be decided again, only to be found a duplicate then.

-- What becomes of each command when not all can be stored as they are: settled is 0 stored,
-- 1 duplicate, 2 conflict, 3 left out; base is the version of its stream before its first event.
-- A duplicate or conflict takes every later command of its stream with it: those were decided on
-- events that do not exist. A known id is a duplicate wherever it stands: ids are looked up when
-- asked for, and where a stream conflicts, as nothing of it is inserted that would show it.
-- Versions come from the events after f_since, unless that is not known or p_deep.
create or replace function @schema@.settle_batch(
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
