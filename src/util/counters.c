/* SPDX-License-Identifier: Apache-2.0 */
#include "util/counters.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define LABELS_MAX 400 /* bytes of one label text */

struct entry {
	struct counter_def def; /* name and labels are copies */
	int id;
	uint64_t limits[]; /* histogram: the bounds as observed integers */
};

struct counters {
	/* Registration and reading; never taken by those who count. */
	pthread_mutex_t lock;
	struct entry *by_id[COUNTER_MAX]; /* at the first cell of each */
	struct entry *by_name[COUNTER_MAX];
	size_t entries_n;
	int cells_n;
	struct counter_set **sets;
	size_t sets_n;
};

struct counters *counters_new(void)
{
	struct counters *c = calloc(1, sizeof(*c));

	if (c && pthread_mutex_init(&c->lock, NULL)) {
		free(c);
		return NULL;
	}
	return c;
}

static void entry_free(struct entry *e)
{
	if (e) {
		free((char *)(uintptr_t)e->def.name);
		free((char *)(uintptr_t)e->def.labels);
		free(e);
	}
}

void counters_free(struct counters *c)
{
	if (!c) {
		return;
	}
	for (size_t i = 0; i < c->entries_n; i++) {
		entry_free(c->by_name[i]);
	}
	for (size_t i = 0; i < c->sets_n; i++) {
		free(c->sets[i]);
	}
	free(c->sets);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static int def_cmp(const struct counter_def *a, const struct counter_def *b)
{
	int by_name = strcmp(a->name, b->name);

	return by_name ? by_name : strcmp(a->labels ? a->labels : "", b->labels ? b->labels : "");
}

/* Where @def is or belongs in by_name. */
static size_t place_of(const struct counters *c, const struct counter_def *def)
{
	size_t lo = 0, hi = c->entries_n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (def_cmp(&c->by_name[mid]->def, def) < 0) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

static size_t bounds_of(const struct counter_def *def)
{
	return def->type == COUNTER_HISTOGRAM ? def->bounds_n : 0;
}

static struct entry *entry_new(const struct counter_def *def)
{
	size_t bounds_n = bounds_of(def);
	struct entry *e = calloc(1, sizeof(*e) + bounds_n * sizeof(e->limits[0]));

	if (!e) {
		return NULL;
	}
	e->def = *def;
	e->def.name = str_dup(str_from(def->name));
	e->def.labels = def->labels ? str_dup(str_from(def->labels)) : NULL;
	if (!e->def.name || (def->labels && !e->def.labels)) {
		entry_free(e);
		return NULL;
	}
	for (size_t i = 0; i < bounds_n; i++) {
		/* The largest integer whose shown value is within the bound. */
		e->limits[i] = (uint64_t)(def->bounds[i] / def->scale * (1 + 1e-9));
	}
	return e;
}

static int insert(struct counters *c, size_t at, const struct counter_def *def)
{
	size_t cells = def->type == COUNTER_HISTOGRAM ? def->bounds_n + 3 : 1;
	struct entry *e;

	if (cells > (size_t)(COUNTER_MAX - c->cells_n)) {
		return -ENOSPC;
	}
	e = entry_new(def);
	if (!e) {
		return -ENOMEM;
	}
	e->id = c->cells_n;
	c->cells_n += (int)cells;
	memmove(c->by_name + at + 1, c->by_name + at, (c->entries_n - at) * sizeof(struct entry *));
	c->by_name[at] = e;
	c->by_id[e->id] = e;
	c->entries_n++;
	return e->id;
}

int counters_register(struct counters *c, const struct counter_def *def)
{
	size_t at;
	int id;

	if ((def->labels && strlen(def->labels) > LABELS_MAX) ||
	    (def->type == COUNTER_HISTOGRAM && !(def->scale > 0))) {
		return -EINVAL;
	}
	pthread_mutex_lock(&c->lock);
	at = place_of(c, def);
	if (at < c->entries_n && def_cmp(&c->by_name[at]->def, def) == 0) {
		const struct entry *e = c->by_name[at];

		id = e->def.type == def->type && bounds_of(&e->def) == bounds_of(def) ? e->id
		                                                                      : -EEXIST;
	} else {
		id = insert(c, at, def);
	}
	pthread_mutex_unlock(&c->lock);
	return id;
}

struct counter_set *counters_set_new(struct counters *c)
{
	struct counter_set *set = aligned_alloc(_Alignof(struct counter_set), sizeof(*set));
	struct counter_set **sets;

	if (!set) {
		return NULL;
	}
	for (size_t i = 0; i < COUNTER_MAX; i++) {
		atomic_init(&set->v[i], 0);
	}
	pthread_mutex_lock(&c->lock);
	sets = realloc(c->sets, (c->sets_n + 1) * sizeof(*sets));
	if (sets) {
		c->sets = sets;
		sets[c->sets_n++] = set;
	}
	pthread_mutex_unlock(&c->lock);
	if (!sets) {
		free(set);
		return NULL;
	}
	return set;
}

void counter_observe(struct counters *c, struct counter_set *set, int id, uint64_t v)
{
	const struct entry *e = c->by_id[id];
	int n = (int)e->def.bounds_n, i = 0;

	while (i < n && v > e->limits[i]) {
		i++;
	}
	counter_inc(set, id + i);
	counter_add(set, id + n + 1, (int64_t)v);
	counter_inc(set, id + n + 2);
}

static uint64_t sum(const struct counters *c, int id)
{
	uint64_t v = 0;

	for (size_t i = 0; i < c->sets_n; i++) {
		v += atomic_load_explicit(&c->sets[i]->v[id], memory_order_relaxed);
	}
	return v;
}

uint64_t counters_get(const struct counters *c, int id)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&c->lock;
	uint64_t v;

	pthread_mutex_lock(lock);
	v = sum(c, id);
	pthread_mutex_unlock(lock);
	return v;
}

static void histogram_each(const struct counters *c, const struct entry *e, counters_cb *cb,
                           void *arg)
{
	const struct counter_def *def = &e->def;
	const char *labels = def->labels ? def->labels : "";
	const char *comma = *labels ? "," : "";
	char name[256], text[LABELS_MAX + 40];
	int n = (int)def->bounds_n;
	uint64_t total = 0;

	snprintf(name, sizeof(name), "%s_bucket", def->name);
	for (int i = 0; i <= n; i++) {
		if (i < n) {
			snprintf(text, sizeof(text), "%s%sle=\"%g\"", labels, comma,
			         def->bounds[i]);
		} else {
			snprintf(text, sizeof(text), "%s%sle=\"+Inf\"", labels, comma);
		}
		total += sum(c, e->id + i);
		cb(arg, def, name, text, (double)total);
	}
	snprintf(name, sizeof(name), "%s_sum", def->name);
	cb(arg, def, name, def->labels, (double)sum(c, e->id + n + 1) * def->scale);
	/* The count that belongs to these buckets, though others count on meanwhile. */
	snprintf(name, sizeof(name), "%s_count", def->name);
	cb(arg, def, name, def->labels, (double)total);
}

void counters_each(const struct counters *c, counters_cb *cb, void *arg)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&c->lock;

	pthread_mutex_lock(lock);
	for (size_t i = 0; i < c->entries_n; i++) {
		const struct entry *e = c->by_name[i];

		switch (e->def.type) {
		case COUNTER_HISTOGRAM: histogram_each(c, e, cb, arg); break;
		case COUNTER_GAUGE: /* one thread may count up what another counts down */
			cb(arg, &e->def, e->def.name, e->def.labels,
			   (double)(int64_t)sum(c, e->id));
			break;
		case COUNTER_COUNTER:
			cb(arg, &e->def, e->def.name, e->def.labels, (double)sum(c, e->id));
			break;
		}
	}
	pthread_mutex_unlock(lock);
}
