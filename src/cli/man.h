/* man.h - man pages from the tables of the verbs and of the topology's keys. Main thread. */
#ifndef LEAT_CLI_MAN_H
#define LEAT_CLI_MAN_H

#include "base/buf.h"
#include "cli/cli.h"

/* leat.1, leat-<verb>.1 and leat.yaml.5 into <dir>/man1 and <dir>/man5; lists them on stdout. Exit
 * code; errors are printed. */
int leat_man_write(struct leat_cli *cli, const char *dir);

/* Text as roff means it: no line of it is a request, dashes and backslashes are themselves. */
void leat_man_text(struct leat_buf *page, struct leat_str text);
void leat_man_head(struct leat_buf *page, const char *name, const char *section);
/* The Markdown that leat's tables print: headings, paragraphs, items, tables, `code` and
 * *emphasis*. Heading 1 is left out. */
void leat_man_markdown(struct leat_buf *page, struct leat_str markdown);

#endif
