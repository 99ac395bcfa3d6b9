/* SPDX-License-Identifier: Apache-2.0 */
/* A table on one fake worker, and changes in one line, for the tests of this folder. */
#pragma once

#include "location/location.h"
#include "location/table.h"
#include "support/unit.h"
#include "util/err.h"

#define START_MS 1000000U

struct fixture {
	struct worker *w;
	struct loc_table *t;
};

/* The answer of the last change that was called back. */
struct answer {
	unsigned n;
	int err;
	size_t bindings;
	char contacts[512]; /* joined by spaces, in the set's order */
};

void fixture_open(struct fixture *f, struct store *store);
void fixture_close(struct fixture *f);

/* "sip:a@1.1.1.1 sip:b@2.2.2.2": what is published. */
const char *published(struct fixture *f, const char *aor);
size_t published_n(struct fixture *f, const char *aor);
/* The binding with that contact; fails the test when there is none. */
struct loc_binding published_binding(struct fixture *f, const char *aor, const char *contact);

struct change_args {
	const char *aor, *call_id;
	uint32_t cseq;
	const char *set, *remove; /* contacts, separated by spaces */
	const char *instance;
	uint32_t reg_id;
	uint32_t expires_s; /* 0: an hour */
	unsigned max;
	bool all, by_operator, replace_instance, forever;
	enum loc_durability durability;
	const struct tp_flow *flow;
	uint64_t id;
};

/* Calls loc_apply() for "sip:x@y" contacts; its result. The answer goes to @a when it comes. */
int change_start(struct fixture *f, const struct change_args *args, struct answer *a);
/* The same, then turns the worker until it is answered; the error of either. */
int change(struct fixture *f, const struct change_args *args, struct answer *a);

#define CHANGE(f, a, ...) change((f), &(struct change_args){ __VA_ARGS__ }, (a))
