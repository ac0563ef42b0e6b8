/* leat model check, diff. */
#include <stdio.h>

#include "cli/model_verbs.h"
int leat_model_check_run(struct leat_model_call *c)
{
    (void)c;
    return LEAT_EXIT_FAILED;
}
int leat_model_diff_run(struct leat_model_call *c)
{
    (void)c;
    return LEAT_EXIT_FAILED;
}
