/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page /metrics for Prometheus (text format 0.0.4): all counters, and the lag of each worker's
 * loop. Plain HTTP on an address of the operator's choice. Main thread.
 */
#pragma once

#include "net/addr.h"

struct counters;
struct event_base;
struct evbuffer;
struct workers;
struct metrics;
struct metrics_page;

/* Gauges that are no counters: says them by metrics_gauge(), those of one name in a row. */
typedef void(metrics_gauges_cb)(struct metrics_page *page, void *arg);

struct metrics_source {
	struct counters *counters;
	struct workers *workers;   /* may be NULL */
	metrics_gauges_cb *gauges; /* may be NULL */
	void *arg;
};

/* @labels as `a="b",c="d"`. */
void metrics_gauge(struct metrics_page *page, const char *name, const char *help,
                   const char *labels, double value);

/* Listens at once. -errno with *error_r (heap). @source is copied. */
int metrics_new(struct event_base *base, const struct net_addr *addr,
                const struct metrics_source *source, struct metrics **m_r, char **error_r);
void metrics_free(struct metrics *m); /* NULL is fine */
/* Where it listens: the port is known even if 0 was asked. */
struct net_addr metrics_addr(const struct metrics *m);

/* The page itself; false: out of memory. */
bool metrics_print(const struct metrics_source *source, struct evbuffer *out);
