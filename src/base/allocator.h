/* allocator.h - how this process's malloc is set. Once, from main, before any thread starts. */
#ifndef LEAT_BASE_ALLOCATOR_H
#define LEAT_BASE_ALLOCATOR_H

void leat_allocator_tune(void);

#endif
