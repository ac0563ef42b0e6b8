/* Who reads a model's file too long: LMDB keeps every page that such a reader may look at, so that
 * the file grows. The slot of a process that is gone is given free; one that lives, even if it does
 * not move, may go on reading at any moment, so it is named and left alone. */
#include "base/log.h"
#include "projection/projector_versions.h"

static void look(struct leat_projector_model *m)
{
    struct leat_env_readers r = {0};
    leat_env_readers(m->fold->env, &r);
    bool still = r.reading > 0 && r.oldest_behind > 0 && r.oldest_txn == m->held_txn &&
                 r.oldest_pid == m->held_by;
    m->held_txn = r.oldest_txn;
    m->held_by = r.oldest_pid;
    if (!still)
        return;
    leat_log_limited_kv(LEAT_LOG_WARN, "projection", "reader-stands-still",
                        LEAT_LOG_FIELDS(LEAT_LOG_STR("model", m->projection->name),
                                        LEAT_LOG_CSTR("version", m->version),
                                        LEAT_LOG_INT("reader_pid", r.oldest_pid),
                                        LEAT_LOG_INT("behind", (int64_t)r.oldest_behind)),
                        "process %lld has read one state of the model for 15 s and longer: its "
                        "file grows until that ends",
                        (long long)r.oldest_pid);
}

void leat_projector_look_at_readers(struct leat_projector *p)
{
    for (size_t i = 0; i < p->n_models; i++) {
        if (p->models[i].fold != NULL)
            look(&p->models[i]);
    }
}
