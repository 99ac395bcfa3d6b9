/* SPDX-License-Identifier: Apache-2.0 */
/* Asking all workers for the answer to a call. */
#pragma once

#include "ctl/ctl.h"
#include "worker/worker.h"

/* On each worker: appends to @rows. Of @call only parameters that are text may be looked at. false:
 * out of memory. */
typedef bool(ctl_gather_cb)(struct worker *w, struct ctl_env *env, struct ctl_call *call,
                            json_t *rows);
/* On the main thread, with the rows of all workers, those of worker 0 first; takes over @rows and
 * answers the call. */
typedef void(ctl_gathered_cb)(struct ctl_call *call, struct ctl_env *env, json_t *rows);

/* @done NULL: the answer is {"@plural": rows}. Answers by itself when there is no memory. */
void ctl_gather(struct ctl_call *call, struct ctl_env *env, const char *plural, ctl_gather_cb *fn,
                ctl_gathered_cb *done);
