-- Effects outside that must not happen twice (`effects: claim`): the intent stands here before the
-- call, its result after it, each in a transaction of its own, whatever becomes of the batch. At
-- most one claim of an effect is ever told "yours", by the primary key; the epoch only keeps a
-- zombie from claiming what its successor would then have to call unknown.

create table @schema@.effects (
    processor text collate "C",
    slice int,
    id uuid,                -- of the message
    service text collate "C",
    n int,
    done boolean not null default false,
    result bytea,
    claimed_by uuid not null, -- a process, as long as it runs
    claims int not null default 1,
    key bytea not null,
    claimed_at timestamptz not null default clock_timestamp(),
    settled_at timestamptz, -- when it was done, or given up
    unknown_at timestamptz, -- since when somebody is wanted to say what came of it
    primary key (processor, slice, id, service, n)
);
create index effects_unknown on @schema@.effects (unknown_at) where unknown_at is not null;

-- state: 0 yours, 1 done (result), 2 unknown, 3 fenced. p_unused: this process has claimed it before
-- and knows that it was not made. p_on_unknown: hold, give_up or repeat. The owner's row is not
-- locked: the executor that asks may hold it.
create function @schema@.claim_effect(
    p_processor text, p_slice int, p_epoch bigint, p_id uuid, p_service text, p_n int,
    p_key bytea, p_by uuid, p_unused boolean, p_on_unknown text, p_lock_timeout_ms int,
    out state smallint, out result bytea)
language plpgsql volatile as $$
declare
    v_effect record;
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    perform 1 from @schema@.owners o
    where o.processor = p_processor and o.k = p_slice and o.epoch = p_epoch;
    if not found then
        state := 3;
        return;
    end if;
    insert into @schema@.effects (processor, slice, id, service, n, claimed_by, key)
    values (p_processor, p_slice, p_id, p_service, p_n, p_by, p_key) on conflict do nothing;
    if found then
        state := 0;
        return;
    end if;
    select e.done, e.result, e.claimed_by into v_effect from @schema@.effects e
    where e.processor = p_processor and e.slice = p_slice and e.id = p_id
        and e.service = p_service and e.n = p_n
    for update;
    if not found then -- taken back meanwhile: ask again
        state := 3;
    elsif v_effect.done then
        state := 1;
        result := v_effect.result;
    elsif p_on_unknown = 'repeat' or (p_unused and v_effect.claimed_by = p_by) then
        state := 0;
        update @schema@.effects e
        set claimed_by = p_by, claims = e.claims + (not p_unused)::int, unknown_at = null,
            claimed_at = clock_timestamp()
        where e.processor = p_processor and e.slice = p_slice and e.id = p_id
            and e.service = p_service and e.n = p_n;
    else
        state := 2;
        update @schema@.effects e
        set unknown_at = case when p_on_unknown = 'hold' then clock_timestamp() end,
            settled_at = case when p_on_unknown = 'give_up' then clock_timestamp() end
        where e.processor = p_processor and e.slice = p_slice and e.id = p_id
            and e.service = p_service and e.n = p_n
            and e.unknown_at is null and e.settled_at is null;
    end if;
end $$;

-- What came of it: done with a result, or, where p_result is null, not made at all, so that another
-- try may. It is the truth whoever is the owner now. False: nobody has claimed it, or it is done.
create function @schema@.settle_effect(
    p_processor text, p_slice int, p_id uuid, p_service text, p_n int, p_result bytea,
    p_lock_timeout_ms int default 5000)
returns boolean language plpgsql volatile as $$
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    if p_result is null then
        delete from @schema@.effects e
        where e.processor = p_processor and e.slice = p_slice and e.id = p_id
            and e.service = p_service and e.n = p_n and not e.done;
    else
        update @schema@.effects e
        set done = true, result = p_result, settled_at = clock_timestamp(), unknown_at = null
        where e.processor = p_processor and e.slice = p_slice and e.id = p_id
            and e.service = p_service and e.n = p_n and not e.done;
    end if;
    return found;
end $$;
