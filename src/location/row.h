/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings as rows of the table `location`. */
#pragma once

#include "location/set.h"
#include "store/store.h"

#define LOC_FLOW_TEXT (2 * NET_ADDR_TEXT + 16)

/* Columns in the order in which loc_row_read() expects them. */
#define LOC_ROW_COLUMNS                                                                            \
	"id, domain, user, contact, instance, reg_id, q, expires, call_id, cseq, path, flow,"      \
	" user_agent, params, created, updated"

/* A row that was read; its text lasts until the statement's next step. */
struct loc_row {
	struct loc_binding b; /* expires_ms is not set */
	int64_t expires_s;    /* Unix; 0: never */
	struct str aor;       /* in aor_text */
	char aor_text[SIP_AOR_MAX];
	char received_text[LOC_FLOW_TEXT];
};

/* Whatever another program has put there: BELFRY_EPARSE for what cannot be a binding. @tg may be
 * NULL: every flow is dead then. */
int loc_row_read(struct sqlite3_stmt *stmt, struct transport_group *tg, struct loc_row *row_r);

/* Writer thread. 0 or BELFRY_EAGAIN. */
int loc_row_write(struct store *s, struct str aor, const struct loc_rec *rec,
                  int64_t unix_offset_ms);
int loc_row_delete(struct store *s, uint64_t id);

/* "udp;LOCAL;REMOTE": what of a flow outlives the process. Empty when it does not fit. */
struct str loc_flow_print(const struct tp_flow *flow, char *out, size_t cap);
/* A datagram flow is good again if a listener for its local side is there; a connection is not.
 * false: no such text. */
bool loc_flow_parse(struct str text, struct transport_group *tg, struct tp_flow *flow_r,
                    bool *dead_r);
