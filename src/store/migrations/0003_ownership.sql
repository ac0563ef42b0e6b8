-- Fence rows of (processor, k), relay positions, registered schemas.

-- epoch + 1 where epoch = the one expected. The row lock waits for a call in flight; lanes and
-- heads are read after it by statements of their own, so they show what that call did.
-- Without p_expected nothing is locked or changed. paused: why nothing is to be handled; null: all.
create function @schema@.fences(
    p_processor text, p_ks int[], p_expected bigint[], p_lock_timeout_ms int,
    out k int[], out epoch bigint[], out claimed boolean[], out head_seq bigint[],
    out store_id uuid[], out l_topic text[], out l_k int[], out l_next bigint[],
    out l_fingerprint bigint[], out l_next_seq bigint[], out paused text)
language plpgsql volatile as $$
begin
    if p_expected is not null then
        perform @schema@.begin_write(p_lock_timeout_ms);
        perform 1 from @schema@.owners o where o.processor = p_processor and o.k = any (p_ks)
            order by o.k for update;
        select array_agg(u.k) into l_k
        from unnest(p_ks, p_expected) u(k, epoch)
        join @schema@.owners o on o.processor = p_processor and o.k = u.k and o.epoch = u.epoch;
        update @schema@.owners o set epoch = o.epoch + 1
        where o.processor = p_processor and o.k = any (l_k);
    end if;
    select array_agg(o.k order by o.k), array_agg(o.epoch order by o.k),
           array_agg(coalesce(o.k = any (fences.l_k), false) order by o.k),
           array_agg(s.head_seq order by o.k), array_agg(s.store_id order by o.k)
    into k, epoch, claimed, head_seq, store_id
    from @schema@.owners o join @schema@.slices s on s.slice = o.k
    where o.processor = p_processor and o.k = any (p_ks);
    select array_agg(l.topic order by l.topic, l.k), array_agg(l.k order by l.topic, l.k),
           array_agg(l.next_offset order by l.topic, l.k),
           array_agg(l.fingerprint order by l.topic, l.k),
           array_agg(l.next_seq order by l.topic, l.k)
    into l_topic, l_k, l_next, l_fingerprint, l_next_seq
    from @schema@.lanes l where l.processor = p_processor and l.k = any (p_ks);
    select p.reason into paused from @schema@.pauses p where p.processor = p_processor;
end $$;

-- The same compare-and-set for a relay's position; without p_expected only reads.
create function @schema@.relays(
    p_slices int[], p_expected bigint[], p_lock_timeout_ms int,
    out slice int[], out epoch bigint[], out claimed boolean[], out seq bigint[],
    out outbox_seq bigint[], out head_seq bigint[], out head_outbox bigint[], out store_id uuid[])
language plpgsql volatile as $$
declare
    v_won int[];
begin
    if p_expected is not null then
        perform @schema@.begin_write(p_lock_timeout_ms);
        perform 1 from @schema@.published p where p.slice = any (p_slices)
            order by p.slice for update;
        select array_agg(u.slice) into v_won
        from unnest(p_slices, p_expected) u(slice, epoch)
        join @schema@.published p on p.slice = u.slice and p.epoch = u.epoch;
        update @schema@.published p set epoch = p.epoch + 1 where p.slice = any (v_won);
    end if;
    select array_agg(p.slice order by p.slice), array_agg(p.epoch order by p.slice),
           array_agg(coalesce(p.slice = any (v_won), false) order by p.slice),
           array_agg(p.seq order by p.slice), array_agg(p.outbox_seq order by p.slice),
           array_agg(s.head_seq order by p.slice), array_agg(s.outbox_seq order by p.slice),
           array_agg(s.store_id order by p.slice)
    into slice, epoch, claimed, seq, outbox_seq, head_seq, head_outbox, store_id
    from @schema@.published p join @schema@.slices s on s.slice = p.slice
    where p.slice = any (p_slices);
end $$;

-- Moves positions forward where the epoch is the caller's and drops what the outbox no longer
-- needs. Gives the slices that were the caller's.
create function @schema@.record_published(
    p_slices int[], p_epochs bigint[], p_seqs bigint[], p_outbox_seqs bigint[],
    p_lock_timeout_ms int, out own int[])
language plpgsql volatile as $$
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    select array_agg(s.slice) into own
    from (select p.slice, p.epoch from @schema@.published p where p.slice = any (p_slices)
          order by p.slice for update) s
    where s.epoch = p_epochs[array_position(p_slices, s.slice)];
    update @schema@.published p
    set seq = greatest(p.seq, u.seq), outbox_seq = greatest(p.outbox_seq, u.outbox_seq)
    from unnest(p_slices, p_seqs, p_outbox_seqs) u(slice, seq, outbox_seq)
    where p.slice = u.slice and p.slice = any (own)
        and (u.seq > p.seq or u.outbox_seq > p.outbox_seq);
    for i in 1 .. cardinality(p_slices) loop
        if p_outbox_seqs[i] > 0 and p_slices[i] = any (own) then
            delete from @schema@.outbox o
            where o.slice = p_slices[i] and o.seq <= p_outbox_seqs[i];
        end if;
    end loop;
end $$;

-- True when the epoch is the caller's; the record is then kept, once.
create function @schema@.refuse_record(
    p_slice int, p_epoch bigint, p_seq bigint, p_partition int, p_topic text, p_key bytea,
    p_headers bytea, p_value bytea, p_reason text, p_lock_timeout_ms int, out own boolean)
language plpgsql volatile as $$
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    select p.epoch = p_epoch into own from @schema@.published p
    where p.slice = p_slice for update;
    if own then
        insert into @schema@.outbox_refused
            (slice, seq, partition, topic, key, headers, value, reason)
        values (p_slice, p_seq, p_partition, p_topic, p_key, p_headers, p_value, p_reason)
        on conflict do nothing;
    end if;
    own := coalesce(own, false);
end $$;

create function @schema@.put_schema(p_subject text, p_text text, p_lock_timeout_ms int)
returns int language plpgsql volatile as $$
declare
    v_newest @schema@.schemas;
begin
    perform @schema@.begin_write(p_lock_timeout_ms);
    lock table @schema@.schemas in share row exclusive mode;
    select * into v_newest from @schema@.schemas s where s.subject = p_subject
    order by s.version desc limit 1;
    if v_newest.text = p_text then
        return v_newest.id;
    end if;
    insert into @schema@.schemas (id, subject, version, text)
    select coalesce(max(id), 0) + 1, p_subject, coalesce(v_newest.version, 0) + 1, p_text
    from @schema@.schemas
    returning id into v_newest.id;
    return v_newest.id;
end $$;
