/* SPDX-License-Identifier: Apache-2.0 */
/* State of trunks: trunk.c and probe.c only. */
#pragma once

#include "proxy/core.h"

#include <pthread.h>
#include <stdatomic.h>

enum trunk_state { TRUNK_UNKNOWN, TRUNK_UP, TRUNK_DOWN };

struct trunk_target {
	struct trunk_target *next;
	const char *trunk; /* its name */
	char *uri;
	_Atomic int state;           /* enum trunk_state, by the last probe or request */
	_Atomic int status;          /* of the last probe, 0: none yet */
	_Atomic uint64_t checked_ms; /* monotonic; UINT64_MAX: never */
	_Atomic uint64_t last_ms;    /* it failed: tried last until then; 0: it has not */
	_Atomic bool told;           /* it said for how long (Retry-After) */
};

struct trunk {
	struct trunk *next;
	char *name;
	struct trunk_target *targets;
	_Atomic int calls; /* INVITE transactions not yet answered */
};

struct proxy_shared {
	pthread_mutex_t lock; /* of the lists; what is in them stays */
	struct trunk *trunks;
	_Atomic uint64_t calls; /* that `why` has kept, of all workers */
};

struct trunk_conf { /* a trunk of the settings of now */
	struct proxy *p;
	const struct conf_trunk *conf;
	struct trunk *trunk;
	struct trunk_target **targets; /* as in conf */
	struct timer probe;
};

struct trunks {
	struct worker_conf *wc;
	size_t n;
	struct trunk_conf v[];
};

/* What a probe (@by "probe") or a request (@by "call") has shown; a change is an event. */
void trunk_target_set(struct trunk_target *t, bool up, int status, const char *by);
/* On the worker that probes: starts a timer for each trunk. */
void proxy_probes_start(struct proxy *p);
