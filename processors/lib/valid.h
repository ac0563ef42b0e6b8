/* valid.h - what a good e-mail address, domain, US phone number and state look like. Pure: texts
 * in, slices of them or the caller's memory out. Texts are ASCII lower case unless it says
 * otherwise. */
#ifndef LEADS_VALID_H
#define LEADS_VALID_H

#include <stdbool.h>

#include "leat/str.h"

#define LEAD_PHONE_BYTES 12 /* +1 and ten digits */

struct leat_str lead_trim(struct leat_str s); /* ASCII white space around it */

/* Labels of letters, digits and inner hyphens, at least two of them, the last one a word. */
bool lead_domain_ok(struct leat_str s);
/* Without scheme, www., path and the root's dot. */
struct leat_str lead_domain_bare(struct leat_str s);
bool lead_email_ok(struct leat_str s);
struct leat_str lead_email_domain(struct leat_str s); /* behind the first @; "" without one */
/* North American numbers in any usual writing, an extension is dropped. False = not one. */
bool lead_phone_e164(struct leat_str s, char to[LEAD_PHONE_BYTES]);

/* Two-letter code in upper case -> the sales region it belongs to; NULL = no such state. */
const char *lead_region(struct leat_str state);
/* How urgent a lead from this source is: hot, warm, cold; NULL = no such source. */
const char *lead_source_priority(struct leat_str source);

#endif
