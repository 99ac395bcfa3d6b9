/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue into one thread: many senders, one receiver, an eventfd to wake it. A sender collects
 * its posts of a loop turn and flushes: at most one eventfd write per flush, none while the
 * receiver is awake. Two lanes: a bounded one (messages: may refuse) and one that never refuses
 * (commit results, control).
 */
#pragma once

#include "util/str.h"

struct job;
/* Runs on the receiver. The job may be freed by it. */
typedef void(job_cb)(struct job *job, void *ctx);

/* Embed it in what is to be done. */
struct job {
	struct job *next;
	job_cb *run;
};

struct mailbox;
/* @limit of the bounded lane. NULL: out of memory or descriptors. */
struct mailbox *mailbox_new(size_t limit);
/* Nobody posts any more, and the receiver has taken and run what was there. */
void mailbox_free(struct mailbox *mb);
/* Becomes readable when something is posted while the receiver sleeps. Poll it, never read it:
 * mailbox_awake() does. */
int mailbox_fd(const struct mailbox *mb);

/* Any thread. false: the bounded lane is full, the job is still the caller's. Takes effect at
 * once, wakes the receiver if it sleeps. */
bool mailbox_post(struct mailbox *mb, struct job *job);
void mailbox_post_sure(struct mailbox *mb, struct job *job); /* the lane that never refuses */

/* Receiver. Takes all that is there, linked by ->next, in order of posting (per sender, over both
 * lanes), NULL if nothing. Take ->next before a job is run. */
struct job *mailbox_take(struct mailbox *mb);
/* Receiver, around its poll of mailbox_fd(): about to sleep (true: something is there, do not
 * sleep; it counts as awake again) / awake again, for whatever reason the poll ended. The
 * receiver begins awake. */
bool mailbox_sleep(struct mailbox *mb);
void mailbox_awake(struct mailbox *mb);
size_t mailbox_len(const struct mailbox *mb); /* bounded lane, approximate */
