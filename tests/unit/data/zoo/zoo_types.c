/* Built by a test against a generated header: fills every member by its C name. */
#include "zoo.h"

const struct leat_type *zoo_type(void);
const void *zoo_value(void);

const struct leat_type *zoo_type(void)
{
    return &leat_type_zoo;
}

const void *zoo_value(void)
{
    static enum animal_kind kinds[] = {ANIMAL_KIND_CAT, ANIMAL_KIND_BIG_DOG};
    static struct zoo_maybe_item maybe[2] = {{.has_value = false}, {.has_value = true}};
    static double row[] = {1.5, 2.5};
    static struct zoo_grid_item grid[] = {{.value = {row, 2}}, {.value = {NULL, 0}}};
    static struct zoo_deep_entry_entry inner[] = {
        {.key = {"in", 2}, .has_value = true, .value = {1, 2, 255}}, {.key = {"no", 2}}};
    static struct zoo_deep_entry deep[] = {{.key = {"k", 1}, .value = {inner, 2}}};
    static struct zoo_hashes_item hashes[] = {{.value = {'a', 'b', 'c'}}};
    static struct cage cubs[] = {{.size = 1}};
    static struct zoo_cages_entry cages[] = {{.key = {"big", 3}, .value = {.size = 9}}};
    static struct zoo_toy_array_item toys[] = {
        {.value = {.is = ZOO_TOY_ARRAY_ITEM_IS_LONG, .as.long_ = 5}},
        {.value = {.is = ZOO_TOY_ARRAY_ITEM_IS_CAGE, .as.cage = {.size = 3}}}};
    maybe[1].value = kinds[1];
    static struct zoo zoo = {
        .id = {"z", 1},
        .default_ = -4,
        .has_big_number = true,
        .big_number = INT64_C(1) << 40,
        .has_http_code = false,
        .ok = true,
        .raw = {"\xff\x01", 2},
        .hash = {'x', 'y', 'z'},
        .hashes = {hashes, 1},
        .kind = ANIMAL_KIND_BIG_DOG,
        .maybe = {maybe, 2},
        .grid = {grid, 2},
        .deep = {deep, 1},
        .has_cage = true,
        .cage = {.size = 7, .inner = {cubs, 1}},
        .cages = {cages, 1},
        .toy = {.is = ZOO_TOY_IS_ARRAY, .as.array = {toys, 2}},
    };
    return &zoo;
}
