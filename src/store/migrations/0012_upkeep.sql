-- Pausing and resuming a processor, which fences() tells those who run it; then what goes when it
-- is done with.

-- The first reason stays.
create function @schema@.pause_processor(
    p_processor text, p_reason text, p_by text, p_lock_timeout_ms int, out paused boolean)
language plpgsql volatile as $$
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    insert into @schema@.pauses (processor, reason, paused_by) values (p_processor, p_reason, p_by)
    on conflict do nothing;
    paused := found;
end $$;

create function @schema@.resume_processor(
    p_processor text, p_lock_timeout_ms int, out resumed boolean)
language plpgsql volatile as $$
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    delete from @schema@.pauses where processor = p_processor;
    resumed := found;
end $$;

-- Rows that are done with go after a time: those of command_log and what came of their effects, dead
-- letters that nobody has to look at. There is no index by age, which every append would pay for: a
-- pass goes through a table from its first page to its last, so many pages at a time, each time in a
-- transaction of its own.

create table @schema@.trims (
    what text collate "C",              -- command_log, dead_letters
    slice int,                          -- -1: all of them
    page bigint not null default 0,     -- where the pass goes on
    removed bigint not null default 0,  -- rows, in this pass
    due_at timestamptz not null,
    primary key (what, slice)
);

-- From one pass to the next: a 30th part of the time things are kept, a day at most.
create function @schema@.trim_period(p_keep_ms bigint) returns interval
language sql immutable as $$
    select least(greatest(p_keep_ms / 30, 10000), 86400000) * interval '1 ms'
$$;

-- A command is forgotten when its window is over; one that is dead and may yet be redriven is not.
create function @schema@.trim_commands(p_slice int, p_from tid, p_to tid, p_before timestamptz)
returns bigint language plpgsql volatile as $$
declare
    v_removed bigint;
begin
    execute format('with old as materialized (
            select c.ctid as at from @schema@.command_log_%1$s c
            where c.ctid >= $1 and c.ctid < $2 and c.finished_at < $3
                and (c.outcome <> 3 or not exists (
                    select 1 from @schema@.dead_letters d
                    where d.processor = c.processor and d.slice = c.slice and d.id = c.id
                        and d.state in (''dead'', ''redriving'', ''quarantined'')))
            for update skip locked),
        gone as (
            delete from @schema@.command_log_%1$s c using old where c.ctid = old.at
            returning c.processor, c.id),
        effects as (
            delete from @schema@.effects e using gone
            where e.processor = gone.processor and e.slice = %1$s and e.id = gone.id)
        select count(*) from gone', p_slice)
    into v_removed using p_from, p_to, p_before;
    return v_removed;
end $$;

-- Those settled since, dropped, or cancelled by a person.
create function @schema@.trim_dead_letters(p_from tid, p_to tid, p_before timestamptz)
returns bigint language plpgsql volatile as $$
declare
    v_removed bigint;
begin
    with old as materialized (
        select d.ctid as at from @schema@.dead_letters d
        where d.ctid >= p_from and d.ctid < p_to and d.changed_at < p_before
            and (d.state in ('settled', 'dropped') or (d.state = 'dead' and d.class = 'cancelled'))
        for update skip locked)
    delete from @schema@.dead_letters d using old where d.ctid = old.at;
    get diagnostics v_removed = row_count;
    return v_removed;
end $$;

-- One step of the pass that is due for longest; whoever asks, each pass is made once. what is null
-- when none is due, or those that are, are under way elsewhere. passed: rows removed in the pass that
-- this step ended; null: it goes on.
create function @schema@.trim_step(
    p_keep_commands_ms bigint, p_keep_dead_letters_ms bigint, p_pages int, p_lock_timeout_ms int,
    out what text, out slice int, out removed bigint, out passed bigint, out wait_ms bigint)
language plpgsql volatile as $$
declare
    v_now timestamptz := clock_timestamp();
    v_keep_ms bigint;
    v_from tid;
    v_to tid;
    v_last boolean;
    t record;
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    -- What a crash undoes is removed by the next pass.
    perform set_config('synchronous_commit', 'off', true);
    if not exists (select 1 from @schema@.trims) then
        insert into @schema@.trims (what, slice, due_at)
        select 'command_log', s.slice, v_now + @schema@.trim_period(p_keep_commands_ms)
        from @schema@.slices s
        union all select 'dead_letters', -1, v_now + @schema@.trim_period(p_keep_dead_letters_ms)
        on conflict do nothing;
    end if;
    select * into t from @schema@.trims x where x.due_at <= v_now
    order by x.due_at, x.slice limit 1 for update skip locked;
    if not found then
        select floor(extract(epoch from min(x.due_at) - v_now) * 1000) into wait_ms
        from @schema@.trims x where x.due_at > v_now;
        return;
    end if;
    what := t.what;
    slice := t.slice;
    v_from := format('(%s,0)', t.page)::tid;
    v_to := format('(%s,0)', t.page + p_pages)::tid;
    if what = 'command_log' then
        v_keep_ms := p_keep_commands_ms;
        removed := @schema@.trim_commands(slice, v_from, v_to,
                                          v_now - v_keep_ms * interval '1 ms');
        v_last := (t.page + p_pages) * current_setting('block_size')::int
            >= pg_relation_size(format('@schema@.command_log_%s', slice)::regclass);
    else
        v_keep_ms := p_keep_dead_letters_ms;
        removed := @schema@.trim_dead_letters(v_from, v_to, v_now - v_keep_ms * interval '1 ms');
        v_last := (t.page + p_pages) * current_setting('block_size')::int
            >= pg_relation_size('@schema@.dead_letters'::regclass);
    end if;
    update @schema@.trims x
    set page = case when v_last then 0 else t.page + p_pages end,
        removed = case when v_last then 0 else t.removed + trim_step.removed end,
        due_at = case when v_last then v_now + @schema@.trim_period(v_keep_ms) else t.due_at end
    where x.what = t.what and x.slice = t.slice;
    passed := case when v_last then t.removed + trim_step.removed end;
    wait_ms := 0;
end $$;
