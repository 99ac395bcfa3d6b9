/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which AORs have a binding by a given flow: a sorted multiset of (hash of the flow, hash of the
 * AOR), 8 bytes a pair, in leaves of at most 512. A flow that a million bindings share (the one
 * connection of an edge proxy) costs no more per pair than a phone's own. Hashes only: the caller
 * looks whether the binding really has the flow.
 *
 * One worker's; no lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loc_leaf;

struct loc_flow_place {
	uint64_t first; /* key of the leaf: found without touching it */
	struct loc_leaf *leaf;
};

struct loc_flow_index {
	struct loc_flow_place *places; /* in order; no leaf is empty */
	size_t n, cap;
	bool is_bulk; /* loading: pairs are collected in bulk[] */
	uint64_t *bulk;
	size_t bulk_n, bulk_cap;
};

void loc_flow_index_init(struct loc_flow_index *ix);
void loc_flow_index_fini(struct loc_flow_index *ix);

/* -ENOMEM: it is not in. */
int loc_flow_index_add(struct loc_flow_index *ix, uint32_t flow, uint32_t aor);
/* One of them; false: there was none. */
bool loc_flow_index_del(struct loc_flow_index *ix, uint32_t flow, uint32_t aor);

/* Between these two, pairs are only collected (deletions do nothing: a pair too many does no harm);
 * then they are sorted at once. -ENOMEM: some are not in. */
void loc_flow_index_bulk_begin(struct loc_flow_index *ix);
int loc_flow_index_bulk_end(struct loc_flow_index *ix);

/* The first pair of @flow whose AOR hash is at least @from: *aor_r. false: none. */
bool loc_flow_index_next(const struct loc_flow_index *ix, uint32_t flow, uint32_t from,
                         uint32_t *aor_r);
