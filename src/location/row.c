/* SPDX-License-Identifier: Apache-2.0 */
#include "location/row.h"

#include <sqlite3.h>

#include "util/err.h"
#include "util/sbuf.h"

#define EXPIRES_MAX_S ((int64_t)1 << 40) /* Unix s: times in ms stay in range */

enum column {
	C_ID,
	C_DOMAIN,
	C_USER,
	C_CONTACT,
	C_INSTANCE,
	C_REG_ID,
	C_Q,
	C_EXPIRES,
	C_CALL_ID,
	C_CSEQ,
	C_PATH,
	C_FLOW,
	C_USER_AGENT,
	C_PARAMS,
	C_CREATED,
	C_UPDATED,
};

/* --- flows --- */

struct str loc_flow_print(const struct tp_flow *flow, char *out, size_t cap)
{
	const struct net_addr *local = &flow->local;
	char text[NET_ADDR_TEXT];
	struct sbuf b;

	if (local->family == 0 && flow->listener) {
		local = &flow->listener->addr;
	}
	sbuf_init(&b, out, cap);
	sbuf_add(&b, tp_proto_param(flow->proto));
	sbuf_char(&b, ';');
	if (local->family) {
		sbuf_add(&b, net_addr_text(local, text));
	}
	sbuf_char(&b, ';');
	sbuf_add(&b, net_addr_text(&flow->remote, text));
	return sbuf_ok(&b) ? sbuf_str(&b) : STR_NONE;
}

/* "192.0.2.1:5060", "[2001:db8::1]:5060". */
static bool addr_parse(struct str text, struct net_addr *addr_r)
{
	uint64_t port;
	size_t colon = text.n;

	while (colon > 0 && text.p[colon - 1] != ':') {
		colon--;
	}
	if (colon == 0 || str_to_u64(str_skip(text, colon), UINT16_MAX, &port)) {
		return false;
	}
	return net_addr_parse(str_make(text.p, colon - 1), (uint16_t)port, addr_r) == 0;
}

static bool proto_parse(struct str text, uint8_t *proto_r)
{
	for (uint8_t i = 0; i < TP_N; i++) {
		if (str_eq(tp_proto_param(i), text)) {
			*proto_r = i;
			return true;
		}
	}
	return false;
}

/* The listener that has, or may have, @local as its address; *exact_r tells if it has. */
static const struct tp_listener *find_listener(struct transport_group *tg, uint8_t proto,
                                               const struct net_addr *local, bool *exact_r)
{
	const struct tp_listener *l, *other = NULL;

	*exact_r = false;
	for (size_t i = 0; tg && (l = transport_listener(tg, i)) != NULL; i++) {
		if (l->proto != proto) {
			continue;
		}
		if (net_addr_eq(&l->addr, local) ||
		    (net_addr_is_any(&l->addr) && l->addr.family == local->family &&
		     l->addr.port == local->port)) {
			*exact_r = true;
			return l;
		}
		other = other ? other : l;
	}
	return other;
}

bool loc_flow_parse(struct str text, struct transport_group *tg, struct tp_flow *flow_r,
                    bool *dead_r)
{
	struct str proto, local, remote;
	bool exact;

	*flow_r = (struct tp_flow){ 0 };
	if (!str_cut(text, ';', &proto, &text) || !str_cut(text, ';', &local, &remote) ||
	    !proto_parse(proto, &flow_r->proto) || !addr_parse(remote, &flow_r->remote) ||
	    (local.n && !addr_parse(local, &flow_r->local))) {
		return false;
	}
	flow_r->listener = find_listener(tg, flow_r->proto, &flow_r->local, &exact);
	*dead_r = flow_r->proto != TP_UDP || !exact;
	return true;
}

/* --- reading --- */

/* By the value: one call less into the statement for each column. The connection is one thread's.
 */
static struct str text_of(sqlite3_stmt *stmt, int column)
{
	sqlite3_value *v = sqlite3_column_value(stmt, column);
	const char *p = sqlite3_value_blob(v);

	return p ? str_make(p, (size_t)sqlite3_value_bytes(v)) : STR_NONE;
}

static uint32_t u32_of(sqlite3_stmt *stmt, int column)
{
	int64_t v = sqlite3_column_int64(stmt, column);

	return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static void q_read(sqlite3_stmt *stmt, struct loc_binding *b)
{
	sqlite3_value *v = sqlite3_column_value(stmt, C_Q);
	double q;

	b->has_q = sqlite3_value_type(v) != SQLITE_NULL;
	q = b->has_q ? sqlite3_value_double(v) : 1;
	b->q = q >= 1 ? 1000 : q > 0 ? (uint16_t)(q * 1000 + 0.5) : 0;
}

static int aor_read(sqlite3_stmt *stmt, struct loc_row *row)
{
	struct str user = text_of(stmt, C_USER), domain = text_of(stmt, C_DOMAIN);
	struct sbuf b;

	sbuf_init(&b, row->aor_text, sizeof(row->aor_text));
	sbuf_add(&b, user);
	sbuf_char(&b, '@');
	for (size_t i = 0; i < domain.n; i++) {
		sbuf_char(&b, (char)ascii_lower((unsigned char)domain.p[i]));
	}
	row->aor = sbuf_str(&b);
	return domain.n && sbuf_ok(&b) ? 0 : BELFRY_EPARSE;
}

/* The text of a flow ends with what `received` says. */
static void flow_read(struct str text, struct transport_group *tg, struct loc_row *row)
{
	struct loc_binding *b = &row->b;
	size_t at = text.n;
	struct sbuf buf;

	b->has_flow = text.n && loc_flow_parse(text, tg, &b->flow, &b->flow_dead);
	if (!b->has_flow) {
		return;
	}
	while (text.p[at - 1] != ';') {
		at--;
	}
	sbuf_init(&buf, row->received_text, sizeof(row->received_text));
	sbuf_add(&buf, tp_proto_param(b->flow.proto));
	sbuf_char(&buf, ':');
	sbuf_add(&buf, str_skip(text, at));
	b->received = sbuf_ok(&buf) ? sbuf_str(&buf) : STR_NONE;
}

int loc_row_read(struct sqlite3_stmt *stmt, struct transport_group *tg, struct loc_row *row_r)
{
	struct loc_binding *b = &row_r->b;
	int64_t id = sqlite3_column_int64(stmt, C_ID);

	*b = (struct loc_binding){ 0 };
	b->contact = text_of(stmt, C_CONTACT);
	if (id <= 0 || b->contact.n == 0 || aor_read(stmt, row_r)) {
		return BELFRY_EPARSE;
	}
	b->id = (uint64_t)id;
	b->instance = text_of(stmt, C_INSTANCE);
	b->reg_id = u32_of(stmt, C_REG_ID);
	q_read(stmt, b);
	b->call_id = text_of(stmt, C_CALL_ID);
	b->is_static = sqlite3_column_type(stmt, C_CALL_ID) == SQLITE_NULL;
	b->cseq = u32_of(stmt, C_CSEQ);
	b->path = text_of(stmt, C_PATH);
	b->user_agent = text_of(stmt, C_USER_AGENT);
	b->params = text_of(stmt, C_PARAMS);
	b->created = u32_of(stmt, C_CREATED);
	b->updated = u32_of(stmt, C_UPDATED);
	row_r->expires_s = sqlite3_column_int64(stmt, C_EXPIRES);
	if (row_r->expires_s < 0 || row_r->expires_s > EXPIRES_MAX_S) {
		/* Nonsense that somebody wrote: long gone, or as good as never. */
		row_r->expires_s = row_r->expires_s < 0 ? 1 : EXPIRES_MAX_S;
	}
	flow_read(text_of(stmt, C_FLOW), tg, row_r);
	return 0;
}

/* --- writing --- */

static int bind_text(sqlite3_stmt *stmt, int column, struct str s)
{
	/* Bound until the statement has run; empty is NULL. */
	return s.n ? sqlite3_bind_text64(stmt, column + 1, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8)
	           : SQLITE_OK;
}

static int64_t expires_unix_s(const struct loc_rec *rec, int64_t unix_offset_ms)
{
	if (rec->expires_ms == UINT64_MAX) {
		return 0;
	}
	/* Down: after a restart nothing may last longer than was granted. */
	return ((int64_t)rec->expires_ms + unix_offset_ms) / 1000;
}

static int bind_numbers(sqlite3_stmt *stmt, const struct loc_rec *rec, int64_t unix_offset_ms)
{
	int rc = sqlite3_bind_int64(stmt, C_ID + 1, (int64_t)rec->id);

	rc |= sqlite3_bind_int64(stmt, C_EXPIRES + 1, expires_unix_s(rec, unix_offset_ms));
	rc |= sqlite3_bind_int64(stmt, C_CREATED + 1, rec->created);
	rc |= sqlite3_bind_int64(stmt, C_UPDATED + 1, rec->updated);
	if (rec->reg_id) {
		rc |= sqlite3_bind_int64(stmt, C_REG_ID + 1, rec->reg_id);
	}
	if (rec->flags & LOC_REC_HAS_Q) {
		rc |= sqlite3_bind_double(stmt, C_Q + 1, rec->q / 1000.0);
	}
	if (!(rec->flags & LOC_REC_STATIC)) {
		rc |= sqlite3_bind_int64(stmt, C_CSEQ + 1, rec->cseq);
	}
	return rc;
}

static int bind_texts(sqlite3_stmt *stmt, struct str aor, const struct loc_rec *rec)
{
	struct str call_id = loc_rec_text(rec, LOC_T_CALL_ID);
	size_t at = aor.n;
	int rc;

	while (at > 0 && aor.p[at - 1] != '@') {
		at--;
	}
	rc = sqlite3_bind_text64(stmt, C_DOMAIN + 1, aor.p + at, aor.n - at, SQLITE_STATIC,
	                         SQLITE_UTF8);
	rc |= sqlite3_bind_text64(stmt, C_USER + 1, aor.p, at ? at - 1 : 0, SQLITE_STATIC,
	                          SQLITE_UTF8);
	rc |= bind_text(stmt, C_CONTACT, loc_rec_text(rec, LOC_T_CONTACT));
	rc |= bind_text(stmt, C_INSTANCE, loc_rec_instance(rec));
	if (!(rec->flags & LOC_REC_STATIC)) { /* NULL is what tells a static one */
		rc |= sqlite3_bind_text64(stmt, C_CALL_ID + 1, call_id.p, call_id.n, SQLITE_STATIC,
		                          SQLITE_UTF8);
	}
	rc |= bind_text(stmt, C_PATH, loc_rec_text(rec, LOC_T_PATH));
	rc |= bind_text(stmt, C_USER_AGENT, loc_rec_user_agent(rec));
	rc |= bind_text(stmt, C_PARAMS, loc_rec_text(rec, LOC_T_PARAMS));
	return rc;
}

int loc_row_write(struct store *s, struct str aor, const struct loc_rec *rec,
                  int64_t unix_offset_ms)
{
	static const char sql[] = "REPLACE INTO location(" LOC_ROW_COLUMNS
				  ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
	sqlite3_stmt *stmt = store_stmt(s, sql);
	char text[LOC_FLOW_TEXT];
	struct tp_flow flow;
	int rc = stmt ? SQLITE_OK : SQLITE_ERROR;

	rc = rc ? rc : bind_texts(stmt, aor, rec) | bind_numbers(stmt, rec, unix_offset_ms);
	if (!rc && loc_rec_flow(rec, &flow)) {
		rc = bind_text(stmt, C_FLOW, loc_flow_print(&flow, text, sizeof(text)));
	}
	return rc ? BELFRY_EAGAIN : store_step(s, stmt);
}

int loc_row_delete(struct store *s, uint64_t id)
{
	static const char sql[] = "DELETE FROM location WHERE id=?1";
	sqlite3_stmt *stmt = store_stmt(s, sql);

	if (!stmt || sqlite3_bind_int64(stmt, 1, (int64_t)id)) {
		return BELFRY_EAGAIN;
	}
	return store_step(s, stmt);
}
