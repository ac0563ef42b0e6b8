/* account.c - the state that deposits and withdrawals share. */
#include "crash.h"

static void deposited(struct account_state *a, const struct deposited *e)
{
    a->balance += e->cents;
    a->count++;
}

static void withdrawn(struct account_state *a, const struct withdrawn *e)
{
    a->balance += e->cents;
    a->count++;
}

LEAT_AGGREGATE(account, 1, FOLD_DEPOSITED(deposited), FOLD_WITHDRAWN(withdrawn));
