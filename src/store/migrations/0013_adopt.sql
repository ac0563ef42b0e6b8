-- A store can go back: an asynchronous standby promoted, a backup restored. Which server's history
-- is the one to go on with is said by `leat store adopt`; until then nothing is written.

-- Who a slice's history was before it forked: events of that store id up to and including seq are
-- part of this store, those above are lost commits.
create table @schema@.forks (
    slice int,
    store_id uuid,
    seq bigint not null,
    forked_at timestamptz not null default now(),
    primary key (slice, store_id)
);

-- What readers of Kafka have got and the store has not, as it was found when the store was adopted.
create table @schema@.lost_events (
    slice int,
    store_id uuid, -- it was published under
    seq bigint,
    event_id uuid,
    version bigint not null,
    type text collate "C" not null,
    stream text collate "C" not null,
    command_id uuid not null,
    published_at timestamptz not null,
    adopted_at timestamptz not null default now(),
    primary key (slice, store_id, seq, event_id)
);

create function @schema@.check_server() returns void
language plpgsql as $$
declare
    v_adopted int;
    v_timeline int;
begin
    if pg_is_in_recovery() then
        raise exception 'this server is a standby' using errcode = '25006';
    end if;
    select timeline into v_adopted from @schema@.topology;
    v_timeline := @schema@.current_timeline();
    if v_timeline <> v_adopted then
        raise exception 'Postgres is on timeline %, adopted is %: commits may have been lost; '
            'run `leat store adopt`', v_timeline, v_adopted using errcode = 'LE012';
    end if;
end $$;

-- Forks slices, each above its p_forks, keeps what was lost, and takes this server for the store. What stands in a topic
-- above the fork is void: it is all published again, under the new store id. Everybody acquires
-- anew, and no epoch of the time that was lost is ever given again.
create function @schema@.adopt(
    p_slices int[], p_forks bigint[], v_slice int[], v_store uuid[],
    l_slice int[], l_store uuid[], l_seq bigint[], l_event uuid[], l_version bigint[],
    l_type text[], l_stream text[], l_command uuid[], l_published_ms bigint[],
    p_lock_timeout_ms int, out slice int[], out store_id uuid[])
language plpgsql volatile as $$
begin
    perform set_config('lock_timeout', p_lock_timeout_ms::text, true),
            set_config('synchronous_commit', 'on', true);
    if pg_is_in_recovery() then
        raise exception 'this server is a standby' using errcode = '25006';
    end if;
    perform 1 from @schema@.owners o order by o.processor, o.k for update;
    perform 1 from @schema@.slices s order by s.slice for update;
    perform 1 from @schema@.published p order by p.slice for update;

    update @schema@.forks f set seq = least(f.seq, u.seq)
    from unnest(p_slices, p_forks) u(k, seq) where f.slice = u.k;
    insert into @schema@.forks (slice, store_id, seq)
    select s.slice, s.store_id, u.seq
    from unnest(p_slices, p_forks) u(k, seq) join @schema@.slices s on s.slice = u.k;
    insert into @schema@.forks (slice, store_id, seq) -- nobody's whom we know: void from the start
    select u.k, u.id, 0 from unnest(v_slice, v_store) u(k, id)
    on conflict do nothing;
    update @schema@.slices s
    set parent_store_id = s.store_id, store_id = gen_random_uuid(), fork_seq = u.seq
    from unnest(p_slices, p_forks) u(k, seq) where s.slice = u.k;
    update @schema@.published p set seq = u.seq
    from unnest(p_slices, p_forks) u(k, seq) where p.slice = u.k;

    insert into @schema@.lost_events
        (slice, store_id, seq, event_id, version, type, stream, command_id, published_at)
    select l_slice[i], l_store[i], l_seq[i], l_event[i], l_version[i], l_type[i], l_stream[i],
        l_command[i], to_timestamp(l_published_ms[i] / 1000.0)
    from generate_subscripts(l_slice, 1) i
    on conflict do nothing;

    update @schema@.owners set epoch = epoch + 1000;
    update @schema@.published set epoch = epoch + 1000;
    update @schema@.topology t
    set system_identifier = c.system_identifier, timeline = @schema@.current_timeline()
    from pg_control_system() c;
    select array_agg(s.slice order by s.slice), array_agg(s.store_id order by s.slice)
    into slice, store_id
    from @schema@.slices s where s.slice = any (p_slices);
end $$;
