#include "cli/send_dry.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/cli.h"
#include "worker/registry.h"
#include "worker/trial.h"

#define TEXT_BYTES_MAX      (64u << 20)
#define FREE_TIMEOUT_MS     1000
#define HANDLER_SECONDS_MAX 30
#define PROBE_DONE          77 /* an exit code that a handler's own exit() hardly has */

struct dry {
    struct leat_session *s;
    const struct leat_processor *processor;
    struct leat_trial *trial;
    struct leat_trial_message message;
    struct leat_buf bytes;
    struct leat_str stream;
    int32_t slice;
    struct leat_trial_outcome outcome;
    bool known; /* the id was handled before: nothing would happen */
    struct leat_command_status before;
};

/* ---- deciding ---- */

/* The bytes as `leat send` would send them, with its errors. */
static leat_status encode(struct dry *d, const struct leat_command_in *in, struct leat_error *err)
{
    struct leat_sender *sender = NULL;
    leat_status status = leat_sender_new(d->s->topology, d->s->schemas, &sender, err);
    if (status == LEAT_OK)
        status = leat_sender_encode(sender, in, &d->bytes, err);
    leat_sender_free(sender, FREE_TIMEOUT_MS);
    return status;
}

static leat_status find_stream(struct dry *d, struct leat_error *err)
{
    struct leat_str key;
    LEAT_TRY(leat_trial_key(d->trial, &d->message, &key, err), err, "%.*s",
             LEAT_STR_FMT(d->message.type));
    const struct leat_aggregate *a = d->processor->aggregate;
    d->message.key = leat_arena_copy(d->s->arena, key);
    d->slice = leat_partition(key, d->s->topology->partitions);
    d->stream =
        a == NULL
            ? d->message.key
            : leat_str_of(leat_arena_printf(d->s->arena, "%s-%.*s", a->name.at, LEAT_STR_FMT(key)));
    return LEAT_OK;
}

static leat_status give(struct dry *d, const struct leat_loaded *loaded, struct leat_error *err)
{
    for (size_t i = 0; i < loaded->snapshot_count; i++)
        LEAT_TRY(leat_trial_snapshot(d->trial, d->message.key, loaded->snapshots[i].version,
                                     loaded->snapshots[i].state, err),
                 err, "snapshot");
    for (size_t i = 0; i < loaded->event_count; i++)
        LEAT_TRY(leat_trial_given(d->trial, d->message.key, loaded->events[i].type,
                                  loaded->events[i].payload, err),
                 err, "version %" PRId64, loaded->events[i].version);
    return LEAT_OK;
}

/* As a worker does: from a snapshot that fits, else from the stream's first event. */
static leat_status load_state(struct dry *d, struct leat_error *err)
{
    if (d->processor->aggregate == NULL)
        return LEAT_OK;
    struct leat_snapshot_form form = leat_trial_snapshot_form(d->trial);
    struct leat_stream_want want = {.k = d->slice, .stream = d->stream};
    want.form = d->processor->aggregate->snapshot_every > 0 ? &form : NULL;
    struct leat_loaded loaded = {0};
    LEAT_TRY(leat_store_load(d->s->store, &want, 1, d->s->arena, &loaded, err), err, "store");
    if (loaded.snapshot_count > 0 && loaded.snapshots[0].damaged) {
        want.form = NULL;
        LEAT_TRY(leat_store_load(d->s->store, &want, 1, d->s->arena, &loaded, err), err, "store");
    }
    LEAT_TRY(give(d, &loaded, err), err, "could not read stream '%.*s'", LEAT_STR_FMT(d->stream));
    return LEAT_OK;
}

/* Once in a process of its own, so that a handler that crashes is told and not suffered. */
static leat_status survives(struct dry *d, struct leat_error *err)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
        (void)alarm(HANDLER_SECONDS_MAX);
        (void)!leat_trial_run(d->trial, &d->message, NULL, &d->outcome, err);
        _exit(PROBE_DONE);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid < 0)
        return leat_fail(err, LEAT_RETRY, "could not start a process: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == PROBE_DONE)
        return LEAT_OK;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return leat_fail(err, LEAT_FATAL, "the handler is not done after %d s",
                         HANDLER_SECONDS_MAX);
    if (WIFSIGNALED(status))
        return leat_fail(err, LEAT_FATAL, "SIG%s in the handler", sigabbrev_np(WTERMSIG(status)));
    return leat_fail(err, LEAT_FATAL, "the handler ended the process with code %d",
                     WEXITSTATUS(status));
}

static leat_status is_known(struct dry *d, struct leat_error *err)
{
    leat_status status =
        leat_store_command(d->s->store, d->slice, &d->message.id, d->s->arena, &d->before, err);
    d->known = status == LEAT_OK && leat_str_eq(d->before.processor, d->processor->name);
    return status == LEAT_ABSENT ? LEAT_OK : status;
}

/* Their circuits are open: a dry run charges no card and sends no mail. */
static struct leat_names services_of(const struct leat_processor *p, struct leat_arena *arena)
{
    struct leat_str *names = leat_arena_zalloc(arena, (size_t)p->n_calls + 1, sizeof *names);
    for (uint32_t i = 0; i < p->n_calls; i++)
        names[i] = p->calls[i].name;
    return (struct leat_names){names, p->n_calls};
}

static leat_status decide(struct dry *d, const struct leat_command_in *in, struct leat_error *err)
{
    d->processor = leat_topology_handler(d->s->topology, in->type);
    if (d->processor != NULL)
        LEAT_TRY(leat_modules_load(d->s->topology, &d->processor->name, 1, err), err, "modules");
    leat_status status = encode(d, in, err); /* knows what to say of an unknown type */
    if (status != LEAT_OK)
        return status;
    d->message =
        (struct leat_trial_message){.type = in->type,
                                    .bytes = leat_buf_str(&d->bytes),
                                    .priority = in->priority,
                                    .id = in->id != NULL ? *in->id : leat_uuid_v7(leat_now_ms()),
                                    .received_at_ms = leat_now_ms()};
    struct leat_names services = services_of(d->processor, d->s->arena);
    struct leat_trial_config config = {.topology = d->s->topology,
                                       .processor = d->processor,
                                       .schemas = d->s->schemas,
                                       .open = &services};
    LEAT_TRY(leat_trial_new(&config, &d->trial, err), err, "modules");
    LEAT_TRY(find_stream(d, err), err, "command");
    LEAT_TRY(is_known(d, err), err, "store");
    if (d->known)
        return LEAT_OK;
    LEAT_TRY(load_state(d, err), err, "state");
    LEAT_TRY(survives(d, err), err, "%.*s in processor '%s'", LEAT_STR_FMT(in->type),
             d->processor->name.at);
    LEAT_TRY(leat_trial_run(d->trial, &d->message, NULL, &d->outcome, err), err, "%.*s",
             LEAT_STR_FMT(in->type));
    return LEAT_OK;
}

/* ---- telling ---- */

static const char *outcome_word(const struct dry *d)
{
    static const char *const words[] = {"accepted", "rejected", "retry", "dead"};
    return d->known ? "duplicate" : words[d->outcome.answer];
}

static void put_made(const struct dry *d, const struct leat_trial_made *m,
                     struct leat_json_writer *w)
{
    struct leat_buf data;
    struct leat_error err = {0};
    char id[LEAT_UUID_TEXT];
    leat_uuid_format(&m->id, id);
    leat_buf_init(&data, TEXT_BYTES_MAX);
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "kind", m->is_command ? "command" : "event");
    leat_json_put_str(w, "type", m->type);
    leat_json_put_cstr(w, "id", id);
    leat_json_put_str(w, "key", m->key);
    if (m->is_command) {
        leat_json_put_str(w, "priority", m->priority);
        leat_json_put_cstr(w, "topic", m->topic);
        leat_json_put_int(w, "partition", m->partition);
        if (m->after_ms > 0)
            leat_json_put_int(w, "after_ms", m->after_ms);
    }
    leat_json_key(w, LEAT_STR("data"));
    if (leat_schemas_to_json(d->s->schemas, m->payload, &data, &err) == LEAT_OK)
        leat_json_raw(w, leat_buf_str(&data));
    else
        leat_json_null(w);
    leat_json_end_object(w);
    leat_buf_done(&data);
}

static void put_json(const struct dry *d, struct leat_buf *out)
{
    struct leat_json_writer w;
    char id[LEAT_UUID_TEXT];
    leat_uuid_format(&d->message.id, id);
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_bool(&w, "dry_run", true);
    leat_json_put_str(&w, "type", d->message.type);
    leat_json_put_cstr(&w, "id", id);
    leat_json_put_str(&w, "processor", d->processor->name);
    leat_json_put_str(&w, "stream", d->stream);
    leat_json_put_int(&w, "slice", d->slice);
    leat_json_put_cstr(&w, "outcome", outcome_word(d));
    if (d->known)
        leat_json_put_str(&w, "outcome_before", d->before.outcome);
    if (d->outcome.code.len > 0)
        leat_json_put_str(&w, "error_code", d->outcome.code);
    if (d->outcome.text.len > 0)
        leat_json_put_str(&w, "error_text", d->outcome.text);
    if (!d->known) {
        leat_json_put_int(&w, "version_before", d->outcome.version_before);
        leat_json_put_int(&w, "version_after", d->outcome.version_after);
        leat_json_key(&w, LEAT_STR("made"));
        leat_json_begin_array(&w);
        for (size_t i = 0; i < d->outcome.made_count; i++)
            put_made(d, &d->outcome.made[i], &w);
        leat_json_end_array(&w);
    }
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

static void put_made_line(const struct dry *d, const struct leat_trial_made *m,
                          struct leat_buf *out)
{
    struct leat_error err = {0};
    leat_buf_printf(out, "  %s %.*s ", m->is_command ? "command" : "event  ",
                    LEAT_STR_FMT(m->type));
    if (leat_schemas_to_json(d->s->schemas, m->payload, out, &err) != LEAT_OK)
        leat_buf_printf(out, "(does not decode: %s)", err.msg);
    if (m->is_command)
        leat_buf_printf(out, " to %s[%d]", m->topic, (int)m->partition);
    leat_buf_putc(out, '\n');
}

static void put_text(const struct dry *d, struct leat_buf *out)
{
    static const char *const words[] = {"accepted", "rejected", "tried again", "dead"};
    leat_buf_printf(out, "%.*s would be %s by %s", LEAT_STR_FMT(d->message.type),
                    d->known ? "a duplicate" : words[d->outcome.answer], d->processor->name.at);
    if (d->known) {
        leat_buf_printf(out, ": this id is %.*s already\n", LEAT_STR_FMT(d->before.outcome));
        return;
    }
    if (d->outcome.code.len > 0 || d->outcome.text.len > 0)
        leat_buf_printf(out, ": %.*s%s%.*s", LEAT_STR_FMT(d->outcome.code),
                        d->outcome.code.len > 0 ? ": " : "", LEAT_STR_FMT(d->outcome.text));
    leat_buf_printf(out, "\n  stream  %.*s, version %" PRId64, LEAT_STR_FMT(d->stream),
                    d->outcome.version_before);
    if (d->outcome.version_after != d->outcome.version_before)
        leat_buf_printf(out, " -> %" PRId64, d->outcome.version_after);
    leat_buf_putc(out, '\n');
    for (size_t i = 0; i < d->outcome.made_count; i++)
        put_made_line(d, &d->outcome.made[i], out);
    leat_buf_puts(out, "nothing was sent or written\n");
}

int leat_send_dry(struct leat_session *s, const struct leat_command_in *in, bool json)
{
    struct dry d = {.s = s};
    struct leat_error err = {0};
    struct leat_buf out;
    leat_buf_init(&d.bytes, (size_t)s->topology->message_bytes_max + 64);
    leat_buf_init(&out, TEXT_BYTES_MAX);
    leat_status status = decide(&d, in, &err);
    int code;
    if (status != LEAT_OK) {
        code = leat_cli_fail(&err);
        code = code == LEAT_EXIT_NO ? LEAT_EXIT_FAILED : code; /* no answer, so not a no */
    } else {
        if (json)
            put_json(&d, &out);
        else
            put_text(&d, &out);
        code = leat_cli_print(&out);
        bool yes = !d.known && d.outcome.answer == LEAT_DONE;
        code = code == LEAT_EXIT_OK && !yes ? LEAT_EXIT_NO : code;
    }
    leat_trial_free(d.trial);
    leat_buf_done(&d.bytes);
    leat_buf_done(&out);
    return code;
}
