/* SPDX-License-Identifier: Apache-2.0 */
/* A result with one long list, such as all bindings: written as text, not kept as a tree. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct ctl_call;
struct evbuffer;

struct ctl_listing {
	struct evbuffer *text;
	bool failed, has_some; /* failed: memory is short; nothing more is added */
};

/* {"NAME":[ ... */
void ctl_listing_begin(struct ctl_listing *l, const char *name);
/* Takes over @one; NULL: it could not be made. false: no more. */
bool ctl_listing_add(struct ctl_listing *l, json_t *one);
/* The answer of @call. */
void ctl_listing_end(struct ctl_listing *l, struct ctl_call *call);
