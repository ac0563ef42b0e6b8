-- The topic whose partitions a processor's group is assigned by, fixed at its first start: two versions
-- in one group with different anchors would split a partition between them (interleavings 3).
create table @schema@.anchors (
    processor text collate "C" primary key,
    topic text collate "C" not null
);

create function @schema@.anchor(p_processor text, p_topic text) returns text
language plpgsql volatile as $$
begin
    insert into @schema@.anchors (processor, topic) values (p_processor, p_topic)
    on conflict do nothing;
    return (select a.topic from @schema@.anchors a where a.processor = p_processor);
end $$;
