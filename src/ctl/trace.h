/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening to the wire for people. A tap looks at every message on every worker: its filter is
 * asked there, what passes is copied without credentials (redact.h) and posted to the main thread.
 * The hook in the transport is there only while a tap is open. What waits for the main thread is
 * bounded per tap; the rest is dropped and counted.
 *
 * Main thread, but for what is said of workers.
 */
#pragma once

#include "ctl/ctl.h"
#include "ctl/trace_filter.h"
#include "transport/transport.h"

#define TRACE_PENDING_MAX (4u << 20) /* bytes on their way from the workers, per tap */
#define TRACE_CALLS_MAX   1024       /* calls that a tap remembers: the newest */

struct trace_tap;

struct trace_record { /* a message, heap */
	struct job job;
	struct trace_tap *tap;
	int64_t unix_us;
	struct net_addr remote, local; /* local: family 0 or the wildcard if not known */
	uint8_t proto;                 /* enum tp_proto */
	bool is_sent;
	size_t n;
	char text[];
};

struct trace_tap_params {
	struct trace_filter filter; /* text is copied */
	void (*opened)(void *arg);  /* every worker looks at its messages from now on */
	void (*record)(void *arg, const struct trace_record *rec);
	void *arg;
};

/* Neither callback runs inside this or after trace_tap_close(). -ENOMEM. */
int trace_tap_open(struct ctl_env *env, const struct trace_tap_params *params,
                   struct trace_tap **tap_r);
/* Sets *tap to NULL; NULL inside is fine. */
void trace_tap_close(struct trace_tap **tap);
/* Messages that passed the filter and were not recorded, since it was last asked. */
uint64_t trace_tap_dropped(struct trace_tap *tap);

/* Workers have ended and the mailbox is empty. Taps may be closed afterwards. NULL is fine. */
void trace_hub_free(struct trace_hub *hub);
