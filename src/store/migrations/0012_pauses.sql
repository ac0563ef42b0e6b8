-- Pausing and resuming a processor; fences() tells those who run it.

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
