/* test_file.h - a *_test.yaml as plain data, checked against topology and schemas: what is in the
 * result runs. Everything lives in the caller's arena. */
#ifndef LEAT_CLI_TEST_FILE_H
#define LEAT_CLI_TEST_FILE_H

#include "codec/schemas.h"
#include "topology/topology.h"
#include "topology/yaml.h"

#define LEAT_TEST_FILE_BYTES_MAX (1024u * 1024)

struct leat_test_message { /* an event of `given`, or a message of `when` */
    struct leat_place place;
    struct leat_str type;
    struct leat_str bytes;    /* as they travel */
    struct leat_str key;      /* given: of its stream; when: "" = its own */
    struct leat_str priority; /* when; "" = the processor's default */
    int64_t at_ms;            /* when: received */
};

typedef enum leat_test_expect_kind {
    LEAT_TEST_MADE, /* an event or a command */
    LEAT_TEST_REJECTED,
    LEAT_TEST_RETRY,
    LEAT_TEST_POISON,
} leat_test_expect_kind;

struct leat_test_expect {
    leat_test_expect_kind kind;
    struct leat_place place;
    struct leat_str type;           /* MADE */
    struct leat_str key, priority;  /* MADE; "" = not compared */
    int64_t after_ms;               /* MADE; -1 = not compared */
    const struct leat_yaml *fields; /* MADE; NULL = none is compared */
    struct leat_str code;           /* REJECTED */
    struct leat_str text;           /* part of the text; "" = not compared */
};

struct leat_test_case {
    struct leat_place place;
    struct leat_str it;
    const struct leat_processor *processor;
    struct leat_test_message *given, *when;
    uint32_t n_given, n_when;
    struct leat_test_expect *then;
    uint32_t n_then;
    struct leat_props options;
    struct leat_names open;    /* services whose circuit is open */
    struct leat_names unknown; /* services of which every claim is unknown */
};
struct leat_test_file {
    const char *path;
    struct leat_test_case *cases;
    uint32_t n;
    bool foreign; /* none of its processors is of this topology */
};

struct leat_test_env {
    const struct leat_topology *topology;
    const struct leat_schemas *schemas; /* all types with an id */
    struct leat_arena *arena;
};
/* Mistakes go to the report, each with its place: then the result must not be used. INVALID when
 * the file can't be read. With `maybe_foreign` a file without a processor of ours is no mistake. */
LEAT_MUST_CHECK leat_status leat_test_file_read(const struct leat_test_env *env, const char *path,
                                                bool maybe_foreign, struct leat_report *report,
                                                struct leat_test_file *ret, struct leat_error *err);

/* test_message.c, for test_file.c: one event or command of a case. */
struct leat_test_reading {
    const struct leat_test_env *env;
    struct leat_report *report;
    const struct leat_processor *processor;
    int64_t at_ms; /* moves with every `at` */
};
/* False after a mistake. */
bool leat_test_given(struct leat_test_reading *r, const struct leat_yaml *node,
                     struct leat_test_message *ret);
bool leat_test_when(struct leat_test_reading *r, const struct leat_yaml *node,
                    struct leat_test_message *ret);
bool leat_test_then(struct leat_test_reading *r, const struct leat_yaml *node,
                    struct leat_test_expect *ret);
bool leat_test_at(struct leat_test_reading *r, const struct leat_yaml *node, int64_t *ret_ms);
bool leat_test_priority(struct leat_test_reading *r, const struct leat_yaml *node,
                        struct leat_str *ret);

#endif
