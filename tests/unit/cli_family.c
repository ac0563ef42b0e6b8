/* uses: base topology codec guard kafka store observe worker relay projection query audit scale cli
 */
/* What one process of a run publishes another one reads, whole; several are summed. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/family.h"

static struct leat_family *family(uint32_t workers, int *ret_fd)
{
    struct leat_family *f = NULL;
    struct leat_error err = {0};
    cr_assert_eq(leat_family_new(workers, 1, &f, ret_fd, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(f->member_count, workers + 1);
    cr_assert_eq(f->worker_count, workers);
    return f;
}

static void fill(struct leat_family_figures *f, const char *name, uint64_t commands)
{
    memset(f, 0, sizeof *f);
    f->processor_count = 1;
    (void)snprintf(f->processors[0].name, sizeof f->processors[0].name, "%s", name);
    f->processors[0].figures.commands = commands;
    f->processors[0].figures.snapshots_damaged = 1;
    f->processors[0].figures.ks_owned = 2;
    f->processors[0].figures.joined = true;
    f->has_relay = true;
    f->relay.joined = true;
    f->relay.events = 5;
}

Test(cli_family, a_child_is_read_by_its_parent)
{
    int fd = -1;
    struct leat_family *f = family(1, &fd);
    static struct leat_family_figures figures;
    cr_assert_not(leat_family_read(&f->members[0], &figures), "nothing yet");
    pid_t pid = fork();
    if (pid == 0) {
        int member = -7;
        leat_family_send(fd, 0);
        struct leat_family *mine = leat_family_join(&member);
        if (mine == NULL || member != 0 || leat_family_join(&member) != NULL)
            _exit(1);
        fill(&figures, "orders", 41);
        leat_family_publish(&mine->members[0], &figures);
        figures.processors[0].figures.commands++;
        leat_family_publish(&mine->members[0], &figures);
        _exit(0);
    }
    int status = -1;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_assert(leat_family_read(&f->members[0], &figures));
    cr_assert_str_eq(figures.processors[0].name, "orders");
    cr_assert_eq(figures.processors[0].figures.commands, 42);
    leat_family_clear(f, 0);
    cr_assert_not(leat_family_read(&f->members[0], &figures), "it starts anew");
}

Test(cli_family, what_names_another_parent_is_not_believed)
{
    int member = -7;
    static const char *const texts[] = {"3:0:1", "3:0", "", "a:b:c", "3:0:1:2"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cr_assert_eq(setenv("LEAT_RUN_FAMILY", texts[i], 1), 0);
        cr_assert_null(leat_family_join(&member), "%s", texts[i]);
        cr_assert_null(getenv("LEAT_RUN_FAMILY"), "what it starts does not inherit it");
    }
    cr_assert_eq(member, -7);
}

Test(cli_family, sums_by_processor)
{
    static struct leat_family_figures sum, one;
    fill(&one, "orders", 10);
    leat_family_add(&sum, &one);
    fill(&one, "orders", 5);
    one.processors[0].figures.joined = false;
    one.relay.joined = false;
    leat_family_add(&sum, &one);
    fill(&one, "mails", 1);
    leat_family_add(&sum, &one);
    cr_assert_eq(sum.processor_count, 2);
    cr_assert_eq(sum.processors[0].figures.commands, 15);
    cr_assert_eq(sum.processors[0].figures.snapshots_damaged, 2, "the last of the counters");
    cr_assert_eq(sum.processors[0].figures.ks_owned, 4);
    cr_assert_not(sum.processors[0].figures.joined, "one of them has not");
    cr_assert_str_eq(sum.processors[1].name, "mails");
    cr_assert(sum.processors[1].figures.joined);
    cr_assert_eq(sum.relay.events, 15);
    cr_assert_not(sum.relay.joined);
}
