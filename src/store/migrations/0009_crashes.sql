-- Messages whose handler ended its process, with a fatal signal of its own or because it hung: what
-- the supervisor of that process knows. A row stands until the message is settled.
create table @schema@.crashes (
    processor text collate "C",
    k int,
    id uuid,
    topic text collate "C" not null,
    record_offset bigint not null,
    tries int not null,
    signal int not null, -- 0: not a signal
    hung boolean not null,
    handler text collate "C" not null,
    text text not null,
    evidence uuid not null, -- the last piece: one that is written again counts once
    first_at timestamptz not null default clock_timestamp(),
    last_at timestamptz not null default clock_timestamp(),
    primary key (processor, k, id)
);

-- Was it settled since? Then what crashed before counts no more, nor against a second chance.
create function @schema@.crash_is_over(p_processor text, p_k int, p_id uuid, p_last_at timestamptz)
returns boolean language sql stable as $$
    select exists (select 1 from @schema@.command_log l
                   where l.slice = p_k and l.id = p_id and l.processor = p_processor
                     and (l.outcome in (1, 2) or l.finished_at >= p_last_at))
$$;

create function @schema@.record_crash(p_processor text, p_k int, p_id uuid, p_topic text,
    p_offset bigint, p_signal int, p_hung boolean, p_handler text, p_text text, p_evidence uuid)
returns int language plpgsql volatile as $$
declare
    v_tries int;
begin
    delete from @schema@.crashes c
    where c.processor = p_processor and c.k = p_k and c.id = p_id
      and @schema@.crash_is_over(c.processor, c.k, c.id, c.last_at);
    insert into @schema@.crashes as c
        (processor, k, id, topic, record_offset, tries, signal, hung, handler, text, evidence)
    values (p_processor, p_k, p_id, p_topic, p_offset, 1, p_signal, p_hung, p_handler, p_text,
            p_evidence)
    on conflict (processor, k, id) do update
    set tries = c.tries + case when c.evidence = excluded.evidence then 0 else 1 end,
        topic = excluded.topic, record_offset = excluded.record_offset, signal = excluded.signal,
        hung = excluded.hung, handler = excluded.handler, text = excluded.text,
        evidence = excluded.evidence, last_at = clock_timestamp()
    returning c.tries into v_tries;
    return v_tries;
end $$;

-- For the owner of the ks, once it has them: what it handles alone, or no more.
create function @schema@.suspects(p_processor text, p_ks int[])
returns setof @schema@.crashes language plpgsql volatile as $$
begin
    delete from @schema@.crashes c
    where c.processor = p_processor and c.k = any (p_ks)
      and @schema@.crash_is_over(c.processor, c.k, c.id, c.last_at);
    return query select c.* from @schema@.crashes c
                 where c.processor = p_processor and c.k = any (p_ks)
                 order by c.k, c.last_at;
end $$;

create function @schema@.acquit(p_processor text, p_ks int[], p_ids uuid[]) returns void
language sql volatile as $$
    delete from @schema@.crashes c using unnest(p_ks, p_ids) as s(k, id)
    where c.processor = p_processor and c.k = s.k and c.id = s.id
$$;
