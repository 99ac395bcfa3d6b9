/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stack for both lanes, so that a sender's order holds across them: senders push with a
 * compare-and-swap, the receiver takes the whole stack and turns it round. The lowest bit of a
 * job's link says that it counts towards the limit.
 *
 * Sleeping: the receiver raises `asleep`, then looks once more; a sender pushes, then looks at
 * `asleep`. Both in the one total order, so one of them sees the other. Whoever lowers the flag
 * owes exactly one write to the eventfd; the receiver keeps count of what it is owed, since such a
 * write may come long after the flag, and reads the eventfd only then.
 */
#include "util/mailbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CACHE_LINE 64
#define COUNTED    ((uintptr_t)1)

struct mailbox {
	_Alignas(CACHE_LINE) _Atomic(uintptr_t)
		top;       /* struct job *, newest first; COUNTED is of the job */
	atomic_size_t len; /* counted jobs on the stack */
	_Alignas(CACHE_LINE) atomic_bool asleep;
	size_t limit;
	int fd;
	/* The receiver's own. */
	bool sleeping;
	uint64_t owed; /* eventfd writes that have not been read */
};

struct mailbox *mailbox_new(size_t limit)
{
	struct mailbox *mb = aligned_alloc(CACHE_LINE, sizeof(*mb));

	if (!mb) {
		return NULL;
	}
	atomic_init(&mb->top, 0);
	atomic_init(&mb->len, 0);
	atomic_init(&mb->asleep, false);
	mb->limit = limit;
	mb->owed = 0;
	mb->sleeping = false;
	mb->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (mb->fd < 0) {
		free(mb);
		return NULL;
	}
	return mb;
}

void mailbox_free(struct mailbox *mb)
{
	if (mb) {
		close(mb->fd);
		free(mb);
	}
}

int mailbox_fd(const struct mailbox *mb)
{
	return mb->fd;
}

static void wake(struct mailbox *mb)
{
	const uint64_t one = 1;
	ssize_t n;

	if (!atomic_load(&mb->asleep) || !atomic_exchange(&mb->asleep, false)) {
		return;
	}
	do {
		n = write(mb->fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
}

static void push(struct mailbox *mb, struct job *job, uintptr_t tag)
{
	uintptr_t top = atomic_load_explicit(&mb->top, memory_order_relaxed);

	do {
		/* The link holds the tag of the job below, as the top does for this one. */
		job->next = (struct job *)top; /* NOLINT: a tagged pointer */
	} while (!atomic_compare_exchange_weak(&mb->top, &top, (uintptr_t)job | tag));
	wake(mb);
}

bool mailbox_post(struct mailbox *mb, struct job *job)
{
	if (atomic_fetch_add_explicit(&mb->len, 1, memory_order_relaxed) >= mb->limit) {
		atomic_fetch_sub_explicit(&mb->len, 1, memory_order_relaxed);
		return false;
	}
	push(mb, job, COUNTED);
	return true;
}

void mailbox_post_sure(struct mailbox *mb, struct job *job)
{
	push(mb, job, 0);
}

struct job *mailbox_take(struct mailbox *mb)
{
	uintptr_t link;
	struct job *first = NULL;
	size_t counted = 0;

	if (atomic_load_explicit(&mb->top, memory_order_relaxed) == 0) {
		return NULL;
	}
	link = atomic_exchange_explicit(&mb->top, 0, memory_order_acquire);
	while (link) {
		struct job *job = (struct job *)(link & ~COUNTED);

		counted += link & COUNTED;
		link = (uintptr_t)job->next;
		job->next = first;
		first = job;
	}
	atomic_fetch_sub_explicit(&mb->len, counted, memory_order_relaxed);
	return first;
}

/* Lowers the flag; if a sender has done so, its write is owed to us. Reads what is owed. */
static void rise(struct mailbox *mb)
{
	uint64_t n;

	if (!atomic_exchange(&mb->asleep, false)) {
		mb->owed++;
	}
	if (mb->owed && read(mb->fd, &n, sizeof(n)) == (ssize_t)sizeof(n)) {
		mb->owed -= n;
	}
	mb->sleeping = false;
}

bool mailbox_sleep(struct mailbox *mb)
{
	mb->sleeping = true;
	atomic_store(&mb->asleep, true);
	if (atomic_load(&mb->top) == 0) {
		return false;
	}
	rise(mb);
	return true;
}

void mailbox_awake(struct mailbox *mb)
{
	if (mb->sleeping) {
		rise(mb);
	}
}

size_t mailbox_len(const struct mailbox *mb)
{
	return atomic_load_explicit(&mb->len, memory_order_relaxed);
}
