/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out at a chosen allocation. Test programs are linked with malloc, calloc,
 * realloc, posix_memalign, aligned_alloc, strdup and strndup wrapped, so that what our code (not a
 * shared library) asks for is counted and can be refused. Assertions of Check are not counted.
 *
 * Any thread; the count is one for the process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The @n-th allocation from now on (1: the next one) gives NULL, once. */
void oom_fail_at(size_t n);
/* Nothing fails any more. */
void oom_off(void);
/* Allocations since oom_fail_at(), the failed one included. */
size_t oom_count(void);
/* One has failed since oom_fail_at(). */
bool oom_hit(void);

/*
 * A scenario: builds, uses and takes down what is tested. It must cope with any allocation failing:
 * no crash, no leak, nothing half done. What it returns: 0 when all went as if memory was there,
 * negative when it gave up. It may use ck_assert.
 */
typedef int(oom_scenario)(void *arg);

/*
 * Runs @fn with the 1st, 2nd, 3rd ... allocation failing until a run in which none failed; that one
 * must return 0. With BELFRY_OOM=n in the environment only the n-th fails (to debug one). Leaks are
 * found by counting what malloc gave and free got back during each run.
 */
void oom_each(oom_scenario *fn, void *arg);
