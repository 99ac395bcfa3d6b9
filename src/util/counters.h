/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters, gauges and histograms. Declared once, in static tables, registered at start-up on the
 * main thread; each worker adds to its own array (no lock, no shared cache line); readers sum.
 * Names are those of the metrics page: `belfry_requests_total` with labels `method="INVITE"`.
 */
#pragma once

#include "util/str.h"

#include <stdatomic.h>

#define COUNTER_MAX 2048

enum counter_type { COUNTER_COUNTER, COUNTER_GAUGE, COUNTER_HISTOGRAM };

struct counter_def {
	enum counter_type type;
	const char *name;     /* belfry_...; copied */
	const char *labels;   /* `class="2",method="INVITE"` or NULL; copied */
	const char *help;     /* with the unit; static storage */
	const double *bounds; /* histogram: upper bounds in the unit shown, ascending; static */
	size_t bounds_n;
	double scale; /* histogram: observed integer * scale = unit shown (1e-6: us -> s), above 0
	               */
};

struct counter_set { /* one per thread that counts */
	_Alignas(64) _Atomic uint64_t v[COUNTER_MAX];
};

/* The registry belongs to the server; one per process in practice, none global. */
struct counters;
struct counters *counters_new(void);
void counters_free(struct counters *c);
/* Id of the first cell (a histogram takes bounds_n + 3 cells: buckets, +Inf, sum, count).
 * The same name and labels again give the same id. Main thread, before workers use the id.
 * -ENOSPC when the table is full, -EEXIST if it is there with another type, -EINVAL, -ENOMEM. */
BELFRY_API int counters_register(struct counters *c, const struct counter_def *def);
/* A set that readers will sum; freed with the registry. Any thread; NULL when out of memory. */
struct counter_set *counters_set_new(struct counters *c);

static inline void counter_add(struct counter_set *set, int id, int64_t n)
{
	/* Single writer: a relaxed load and store, no locked instruction. */
	uint64_t v = atomic_load_explicit(&set->v[id], memory_order_relaxed);
	atomic_store_explicit(&set->v[id], v + (uint64_t)n, memory_order_relaxed);
}

static inline void counter_inc(struct counter_set *set, int id)
{
	counter_add(set, id, 1);
}

/* A gauge that one worker sets. */
static inline void counter_set_to(struct counter_set *set, int id, uint64_t v)
{
	atomic_store_explicit(&set->v[id], v, memory_order_relaxed);
}

/* A histogram; @v in its integer unit (`scale`). */
BELFRY_API void counter_observe(struct counters *c, struct counter_set *set, int id, uint64_t v);
/* Sum over all sets. Any thread. */
uint64_t counters_get(const struct counters *c, int id);

/* Walks all in the order of names; for histograms one call per cell with the Prometheus suffix and
 * the `le` label made up. @cb must not call back into the registry. Any thread. */
typedef void(counters_cb)(void *arg, const struct counter_def *def, const char *name,
                          const char *labels, double value);
void counters_each(const struct counters *c, counters_cb *cb, void *arg);
