/* SPDX-License-Identifier: Apache-2.0 */
/* The 200 to a REGISTER (RFC 3261 10.3 step 8, RFC 3327 5.3, RFC 3608 6). */
#include "registrar/registrar.h"

#include "util/sbuf.h"

#define LINE_MAX_EXTRA 96  /* bytes of a Contact line but for contact and parameters */
#define FIXED_MAX      128 /* Date and Supported */

static void add_q(struct sbuf *b, uint16_t q)
{
	char digits[4] = { (char)('0' + q / 100 % 10), (char)('0' + q / 10 % 10),
		           (char)('0' + q % 10), '\0' };
	size_t n = 3;

	sbuf_add(b, STR(";q="));
	sbuf_char(b, q >= 1000 ? '1' : '0');
	while (n > 0 && digits[n - 1] == '0') {
		n--;
	}
	if (n > 0) {
		sbuf_char(b, '.');
		sbuf_add(b, str_make(digits, n));
	}
}

static void add_contact(struct sbuf *b, const struct belfry_binding *binding)
{
	sbuf_add(b, STR("Contact: <"));
	sbuf_add(b, binding->contact);
	sbuf_char(b, '>');
	sbuf_add(b, binding->params);
	if (binding->has_q) {
		add_q(b, binding->q);
	}
	sbuf_add(b, STR(";expires="));
	sbuf_u64(b, binding->expires_s);
	sbuf_add(b, STR("\r\n"));
}

static void add_date(struct sbuf *b, int64_t unix_s)
{
	char date[30];

	sip_date_print(unix_s, date);
	sbuf_add(b, STR("Date: "));
	sbuf_add(b, str_from(date));
	sbuf_add(b, STR("\r\n"));
}

static size_t size_of(const struct registering *r, const struct belfry_bindings *bs)
{
	size_t len = FIXED_MAX + r->path.n + 16, i = 0;
	struct belfry_binding b;

	while (belfry_bindings_next(bs, &i, &b)) {
		len += b.contact.n + b.params.n + LINE_MAX_EXTRA;
	}
	for (size_t k = 0; k < r->conf->service_route.n; k++) {
		len += r->conf->service_route.v[k].n + 32;
	}
	return len;
}

/* Who requires an extension supports it. */
static bool knows_path(const struct sip_msg *msg)
{
	return sip_msg_has_token(msg, SIP_H_SUPPORTED, STR("path")) ||
	       sip_msg_has_token(msg, SIP_H_REQUIRE, STR("path"));
}

enum belfry_verdict answer_ok(struct belfry_req *req, struct belfry_mod *mod,
                              const struct registering *r, const struct belfry_bindings *bs)
{
	const struct sip_msg *msg = belfry_msg(req);
	size_t cap = size_of(r, bs), i = 0;
	char *space = arena_alloc(belfry_arena(req), cap);
	struct belfry_binding binding;
	struct sbuf b;

	if (!space) {
		return belfry_reply(req, 500, NULL);
	}
	sbuf_init(&b, space, cap);
	while (belfry_bindings_next(bs, &i, &binding)) {
		add_contact(&b, &binding);
	}
	add_date(&b, belfry_unix_ms(mod) / 1000);
	sbuf_add(&b, STR("Supported: path\r\n"));
	if (r->path.n > 0 && knows_path(msg)) {
		sbuf_add(&b, STR("Path: "));
		sbuf_add(&b, r->path);
		sbuf_add(&b, STR("\r\n"));
	}
	for (size_t k = 0; k < r->conf->service_route.n; k++) {
		sbuf_add(&b, STR("Service-Route: <"));
		sbuf_add(&b, r->conf->service_route.v[k]);
		sbuf_add(&b, STR(">\r\n"));
	}
	return belfry_reply_with(req, 200, STR_NONE, sbuf_str(&b), STR_NONE);
}
