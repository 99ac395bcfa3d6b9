/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packed form of a set of bindings: one block that holds the AOR and its records back to back.
 * Immutable once built but for one mark per record: that its flow is dead, which is only ever set.
 */
#pragma once

#include <stdatomic.h>

#include "location/intern.h"
#include "location/location.h"
#include "location/slab.h"

enum loc_rec_flag {
	LOC_REC_HAS_Q = 1,
	LOC_REC_STATIC = 2,
	LOC_REC_FLOW = 4,
	LOC_REC_INSTANCE_IN_PARAMS = 8, /* instance_off tells where; it has no bytes of its own */
};

enum loc_rec_text {
	LOC_T_CONTACT,
	LOC_T_PARAMS,
	LOC_T_INSTANCE,
	LOC_T_CALL_ID,
	LOC_T_PATH,
	LOC_T_RECEIVED,
	LOC_T_USER_AGENT, /* empty when interned */
	LOC_T_N
};

struct loc_rec {
	uint64_t id;
	uint64_t expires_ms;
	const struct loc_text *user_agent;
	uint32_t created, updated; /* Unix s */
	uint32_t cseq;
	uint32_t reg_id;
	uint16_t q;
	uint16_t instance_off;
	uint16_t len[LOC_T_N];
	uint8_t flags;
	uint8_t flow_n;       /* bytes of the packed flow behind the texts */
	_Atomic uint8_t dead; /* the flow has gone */
			      /* Then without a gap: the texts in their order, and the flow. */
};

#define LOC_REC_HEAD (offsetof(struct loc_rec, dead) + 1)

struct loc_set {
	_Atomic uint32_t refs;
	uint32_t size; /* of the block */
	uint16_t n;
	uint16_t aor_n;
	uint32_t off[]; /* of the records, from the start of the set; then the AOR, then the records
	                 */
};

#define LOC_SET_MAX 65535 /* bindings */

/* What sets are made from; shared by all workers. */
struct loc_mem {
	struct loc_slab *slab;
	struct loc_intern *intern;
};

/* One binding of a set to be built: taken over from another set, or made from @b. */
struct loc_item {
	const struct loc_rec *keep; /* NULL: from @b */
	const struct loc_binding *b;
	uint64_t id;
	int64_t created, updated;
	bool is_static;
	struct str call_id;
	uint32_t cseq;
};

/* With one reference. BELFRY_ETOOBIG (a text above 64 KiB, too many bindings), -ENOMEM. */
int loc_set_build(const struct loc_mem *mem, struct str aor, const struct loc_item *items, size_t n,
                  struct loc_set **set_r);

const struct loc_rec *loc_set_rec(const struct loc_set *set, size_t i);
struct str loc_rec_text(const struct loc_rec *rec, enum loc_rec_text which);
struct str loc_rec_instance(const struct loc_rec *rec);
struct str loc_rec_user_agent(const struct loc_rec *rec);
size_t loc_rec_size(const struct loc_rec *rec);
/* Equal but for what is in memory only. */
bool loc_rec_same_row(const struct loc_rec *a, const struct loc_rec *b);
bool loc_rec_flow(const struct loc_rec *rec, struct tp_flow *flow_r);
/* The transport of its flow; -1: it has none, or a dead one. */
int loc_rec_live_proto(const struct loc_rec *rec);
/* Of what tells flows apart; 0 when the record has none. */
uint32_t loc_rec_flow_hash(const struct loc_rec *rec);
uint32_t loc_flow_hash(const struct tp_flow *flow);
/* The earliest end of a binding; UINT64_MAX: none ends. */
uint64_t loc_set_min_expires_ms(const struct loc_set *set);
