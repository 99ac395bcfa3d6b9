/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/rr.h"

#include "util/err.h"

#include <errno.h>

#define HEADER_N  12U
#define JUMPS_MAX 32U /* compression pointers in one name */
#define LABEL_MAX 63U
#define CLASS_IN  1U

/* A place in the packet. */
struct reader {
	const uint8_t *p;
	size_t at, end;
	bool bad; /* went beyond the end, or nonsense */
};

static uint32_t take(struct reader *r, unsigned n)
{
	uint32_t v = 0;

	if (r->bad || r->end - r->at < n) {
		r->bad = true;
		return 0;
	}
	while (n-- > 0) {
		v = v << 8 | r->p[r->at++];
	}
	return v;
}

static void skip(struct reader *r, size_t n)
{
	if (r->bad || r->end - r->at < n) {
		r->bad = true;
	} else {
		r->at += n;
	}
}

static void skip_name(struct reader *r)
{
	for (;;) {
		uint32_t n = take(r, 1);

		if (r->bad || n == 0) {
			return;
		}
		if (n >= 0xc0) {
			take(r, 1);
			return;
		}
		if (n > LABEL_MAX) {
			r->bad = true;
			return;
		}
		skip(r, n);
	}
}

static bool is_host_char(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

/* Appends a label to @name; false: it is no host's. */
static bool add_label(const struct reader *r, uint32_t n, char *name, size_t *name_n)
{
	if (*name_n + n + 1 > DNS_NAME_MAX + 1) {
		return false;
	}
	if (*name_n > 0) {
		name[(*name_n)++] = '.';
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!is_host_char(r->p[r->at + i])) {
			return false;
		}
		name[(*name_n)++] = (char)r->p[r->at + i];
	}
	return true;
}

/* The name at @r, which is within a packet of @packet_n bytes; pointers may only lead back. false:
 * broken or no host name. @r->at is behind the name only if the name was good. */
static bool take_name(struct reader *r, char *name, size_t *name_n)
{
	struct reader at = *r; /* follows the pointers */
	bool jumped = false;
	unsigned jumps = 0;

	*name_n = 0;
	for (;;) {
		size_t begin = at.at;
		uint32_t n = take(&at, 1);

		if (n >= 0xc0) {
			n = (n & 0x3f) << 8 | take(&at, 1);
			if (!jumped) {
				r->at = at.at;
			}
			jumped = true;
			if (at.bad || n >= begin || ++jumps > JUMPS_MAX) {
				return false;
			}
			at.at = n;
			continue;
		}
		if (at.bad || n > LABEL_MAX || at.end - at.at < n) {
			return false;
		}
		if (n == 0) {
			break;
		}
		if (!add_label(&at, n, name, name_n)) {
			return false;
		}
		at.at += n;
	}
	if (!jumped) {
		r->at = at.at;
	}
	return true;
}

/* <character-string> */
static struct str take_string(struct reader *r)
{
	uint32_t n = take(r, 1);
	struct str s = str_make((const char *)r->p + r->at, n);

	skip(r, n);
	return r->bad ? STR_NONE : s;
}

/* Host names into @arena; empty for the root. false: leave the record out. */
static bool take_host(struct reader *r, struct arena *arena, struct str *host_r, int *err)
{
	char name[DNS_NAME_MAX + 1];
	size_t n;

	if (!take_name(r, name, &n)) {
		return false;
	}
	*host_r = arena_str(arena, str_make(name, n));
	if (!host_r->p) {
		*err = -ENOMEM;
		return false;
	}
	return true;
}

static bool take_naptr(struct reader *r, struct arena *arena, struct dns_naptr *naptr, int *err)
{
	struct str text[3];

	naptr->order = (uint16_t)take(r, 2);
	naptr->preference = (uint16_t)take(r, 2);
	for (unsigned i = 0; i < 3; i++) {
		text[i] = arena_str(arena, take_string(r));
		if (!text[i].p) {
			*err = -ENOMEM;
			return false;
		}
	}
	naptr->flags = text[0];
	naptr->service = text[1];
	naptr->regexp = text[2];
	return !r->bad && take_host(r, arena, &naptr->replacement, err);
}

/* @r holds the record's data only, but names may point to what is before it. */
static bool take_data(struct reader *r, struct arena *arena, struct dns_rr *rr, int *err)
{
	size_t n = r->end - r->at;

	switch (rr->type) {
	case DNS_A:
	case DNS_AAAA:
		if (n != (rr->type == DNS_A ? 4 : 16)) {
			return false;
		}
		memset(rr->ip, 0, sizeof(rr->ip));
		memcpy(rr->ip, r->p + r->at, n);
		return true;
	case DNS_SRV:
		rr->srv.priority = (uint16_t)take(r, 2);
		rr->srv.weight = (uint16_t)take(r, 2);
		rr->srv.port = (uint16_t)take(r, 2);
		return !r->bad && take_host(r, arena, &rr->srv.target, err);
	default: return take_naptr(r, arena, &rr->naptr, err);
	}
}

/* One record; 0, BELFRY_EPARSE or -ENOMEM. */
static int take_record(struct reader *r, uint16_t type, struct arena *arena, struct dns_rrs *rrs)
{
	uint16_t rr_type, rr_class;
	uint32_t ttl_s, n;
	struct reader data;
	int err = 0;

	skip_name(r);
	rr_type = (uint16_t)take(r, 2);
	rr_class = (uint16_t)take(r, 2);
	ttl_s = take(r, 4);
	n = take(r, 2);
	data = *r;
	skip(r, n);
	if (r->bad) {
		return BELFRY_EPARSE;
	}
	if (rr_type == type && rr_class == CLASS_IN && rrs->n < DNS_RR_MAX) {
		struct dns_rr *rr = &rrs->v[rrs->n];

		rr->type = type;
		rr->ttl_s = ttl_s > INT32_MAX ? 0 : ttl_s; /* RFC 2181 8 */
		data.end = r->at;
		rrs->n += take_data(&data, arena, rr, &err);
	}
	return err;
}

int dns_rrs_parse(struct str packet, uint16_t type, struct arena *arena, struct dns_rrs *rrs_r)
{
	struct reader r = { .p = (const uint8_t *)packet.p, .end = packet.n };
	uint32_t questions, answers;
	int err = 0;

	*rrs_r = (struct dns_rrs){ 0 };
	if (packet.n < HEADER_N) {
		return BELFRY_EPARSE;
	}
	rrs_r->rcode = r.p[3] & 15;
	r.at = 4;
	questions = take(&r, 2);
	answers = take(&r, 2);
	r.at = HEADER_N;
	for (; questions > 0 && !r.bad; questions--) {
		skip_name(&r);
		skip(&r, 4);
	}
	rrs_r->v = arena_alloc(arena, sizeof(struct dns_rr) *
	                                      (answers < DNS_RR_MAX ? answers + 1 : DNS_RR_MAX));
	if (!rrs_r->v) {
		return -ENOMEM;
	}
	for (; answers > 0 && err == 0; answers--) {
		err = r.bad ? BELFRY_EPARSE : take_record(&r, type, arena, rrs_r);
	}
	return err ? err : r.bad ? BELFRY_EPARSE : 0;
}
