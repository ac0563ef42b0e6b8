#include "projection/stored.h"

struct leat_fold_event leat_fold_event_stored(const struct leat_stored_event *stored,
                                              const struct leat_uuid *store_id,
                                              struct leat_arena *arena)
{
    char *command = leat_arena_alloc(arena, LEAT_UUID_TEXT);
    leat_uuid_format(&stored->command_id, command);
    return (struct leat_fold_event){
        .slice = stored->slice,
        .at = {.store_id = *store_id, .event_id = stored->id, .seq = stored->seq},
        .meta = {.recorded_at_ms = stored->recorded_at_us / 1000,
                 .seq = stored->seq,
                 .key = leat_stored_key(stored->stream),
                 .type = stored->type,
                 .command_id = leat_str_of(command)},
        .payload = stored->payload,
    };
}
