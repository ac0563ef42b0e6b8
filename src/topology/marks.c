/* marks.c - where things of the finished topology stand in the file: by their address, because a
 * text may be there twice. */
#include <stdlib.h>

#include "topology/loader.h"

void leat_load_mark(struct leat_loader *l, const void *thing, const struct leat_place *place)
{
    if (place->file == NULL) /* a default of the table */
        return;
    l->marks = leat_arena_grow(l->arena, l->marks, sizeof *l->marks, &l->cap_marks, l->n_marks + 1);
    l->marks[l->n_marks++] = (struct leat_mark){thing, *place};
}

static int by_thing(const void *va, const void *vb)
{
    uintptr_t a = (uintptr_t)((const struct leat_mark *)va)->thing;
    uintptr_t b = (uintptr_t)((const struct leat_mark *)vb)->thing;
    return a < b ? -1 : a > b;
}

void leat_load_marks_done(struct leat_loader *l)
{
    if (l->n_marks > 0)
        qsort(l->marks, l->n_marks, sizeof *l->marks, by_thing);
    l->t->marks = l->marks;
    l->t->n_marks = l->n_marks;
}

const struct leat_place *leat_topology_place(const struct leat_topology *t, const void *thing,
                                             const struct leat_place *otherwise)
{
    const struct leat_mark wanted = {thing, {NULL, 0, 0}};
    const struct leat_mark *m =
        t->n_marks == 0 ? NULL : bsearch(&wanted, t->marks, t->n_marks, sizeof wanted, by_thing);
    return m == NULL ? otherwise : &m->place;
}
