/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/server.h"

#include <arpa/inet.h>
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define RECORDS_MAX 256
#define ASKED_MAX   256
#define FAIL        -1
#define SILENT      -2
#define CNAME       5

struct record {
	char name[256];
	int type; /* or FAIL, SILENT */
	unsigned ttl_s;
	unsigned char data[512];
	size_t n;
	char cname[256];
};

struct dns_server {
	int fd;
	struct event *event;
	char address[64];
	unsigned ttl_s;
	struct record v[RECORDS_MAX];
	size_t n;
	struct {
		char name[256];
		uint16_t type;
		unsigned count;
	} asked[ASKED_MAX];
	size_t asked_n;
};

/* --- records -----------------------------------------------------------------------------------
 */

static void put8(unsigned char *to, size_t *n, unsigned v)
{
	to[(*n)++] = (unsigned char)v;
}

static void put16(unsigned char *to, size_t *n, unsigned v)
{
	put8(to, n, v >> 8 & 255);
	put8(to, n, v & 255);
}

static void put_name(unsigned char *to, size_t *n, const char *name)
{
	while (*name && strcmp(name, ".") != 0) {
		size_t len = strcspn(name, ".");

		put8(to, n, (unsigned)len);
		memcpy(to + *n, name, len);
		*n += len;
		name += len + (name[len] == '.');
	}
	put8(to, n, 0);
}

static void put_string(unsigned char *to, size_t *n, const char *s)
{
	put8(to, n, (unsigned)strlen(s));
	memcpy(to + *n, s, strlen(s));
	*n += strlen(s);
}

static void fill_naptr(struct record *r, const char *data)
{
	char flags[16], service[64], target[256];
	unsigned order, preference;

	ck_assert_int_eq(sscanf(data, "%u %u %15s %63s %255s", &order, &preference, flags, service,
	                        target),
	                 5);
	put16(r->data, &r->n, order);
	put16(r->data, &r->n, preference);
	put_string(r->data, &r->n, flags);
	put_string(r->data, &r->n, service);
	put_string(r->data, &r->n, "");
	put_name(r->data, &r->n, target);
}

static void fill_srv(struct record *r, const char *data)
{
	unsigned priority, weight, port;
	char target[256];

	ck_assert_int_eq(sscanf(data, "%u %u %u %255s", &priority, &weight, &port, target), 4);
	put16(r->data, &r->n, priority);
	put16(r->data, &r->n, weight);
	put16(r->data, &r->n, port);
	put_name(r->data, &r->n, target);
}

static void fill(struct record *r, const char *type, const char *data)
{
	if (!strcmp(type, "A") || !strcmp(type, "AAAA")) {
		bool is_a = type[1] == '\0';

		r->type = is_a ? 1 : 28;
		r->n = is_a ? 4 : 16;
		ck_assert_int_eq(inet_pton(is_a ? AF_INET : AF_INET6, data, r->data), 1);
	} else if (!strcmp(type, "SRV")) {
		r->type = 33;
		fill_srv(r, data);
	} else if (!strcmp(type, "NAPTR")) {
		r->type = 35;
		fill_naptr(r, data);
	} else if (!strcmp(type, "CNAME")) {
		r->type = CNAME;
		put_name(r->data, &r->n, data);
		snprintf(r->cname, sizeof(r->cname), "%s", data);
	} else {
		r->type = !strcmp(type, "FAIL") ? FAIL : SILENT;
	}
}

void dns_server_add(struct dns_server *s, const char *record)
{
	struct record *r = &s->v[s->n];
	char type[16];
	int at = 0;

	ck_assert_uint_lt(s->n, RECORDS_MAX);
	*r = (struct record){ .ttl_s = s->ttl_s };
	ck_assert_int_eq(sscanf(record, "%255s %15s %n", r->name, type, &at), 2);
	if (!strcmp(type, "TTL")) {
		s->ttl_s = (unsigned)strtoul(record + at, NULL, 10);
		return;
	}
	fill(r, type, record + at);
	s->n++;
}

/* --- answering ---------------------------------------------------------------------------------
 */

struct answer {
	unsigned char p[4096];
	size_t n;
	unsigned count;
	bool exists;
	int special; /* FAIL, SILENT */
};

static void add_answers(const struct dns_server *s, const char *name, uint16_t type,
                        struct answer *a, int depth)
{
	for (size_t i = 0; i < s->n && a->n < 3000; i++) {
		const struct record *r = &s->v[i];
		size_t at;

		if (strcasecmp(r->name, name) != 0) {
			continue;
		}
		a->exists = true;
		a->special = r->type < 0 ? r->type : a->special;
		if (r->type != type && r->type != CNAME) {
			continue;
		}
		put_name(a->p, &a->n, name);
		put16(a->p, &a->n, (unsigned)r->type);
		put16(a->p, &a->n, 1);
		put16(a->p, &a->n, 0);
		put16(a->p, &a->n, r->ttl_s);
		at = a->n;
		put16(a->p, &at, (unsigned)r->n);
		memcpy(a->p + at, r->data, r->n);
		a->n = at + r->n;
		a->count++;
		if (r->type == CNAME && depth < 5) {
			add_answers(s, r->cname, type, a, depth + 1);
		}
	}
}

static void note_asked(struct dns_server *s, const char *name, uint16_t type)
{
	size_t i = 0;

	while (i < s->asked_n &&
	       (s->asked[i].type != type || strcasecmp(s->asked[i].name, name) != 0)) {
		i++;
	}
	if (i == s->asked_n && i < ASKED_MAX) {
		s->asked_n++;
		s->asked[i].type = type;
		snprintf(s->asked[i].name, sizeof(s->asked[i].name), "%s", name);
	}
	s->asked[i].count++;
}

/* The question's name as text; where it ends. */
static size_t question(const unsigned char *p, size_t n, char *name)
{
	size_t at = 12, len = 0;

	while (at < n && p[at]) {
		memcpy(name + len, p + at + 1, p[at]);
		len += p[at];
		name[len++] = '.';
		at += p[at] + 1U;
	}
	name[len ? len - 1 : 0] = '\0';
	return at + 1;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct dns_server *s = arg;
	struct sockaddr_in from;
	socklen_t from_n = sizeof(from);
	unsigned char p[4096];
	struct answer a = { .n = 0 };
	char name[256];
	uint16_t type;
	ssize_t n = recvfrom(fd, p, sizeof(p), 0, (struct sockaddr *)&from, &from_n);

	(void)what;
	if (n < 17) {
		return;
	}
	a.n = question(p, (size_t)n, name) + 4;
	type = (uint16_t)(p[a.n - 4] << 8 | p[a.n - 3]);
	memcpy(a.p, p, a.n);
	note_asked(s, name, type);
	add_answers(s, name, type, &a, 0);
	if (a.special == SILENT) {
		return;
	}
	a.p[2] = 0x81;
	a.p[3] = (unsigned char)(0x80 | (a.special == FAIL ? 2 : a.exists ? 0 : 3));
	memset(a.p + 4, 0, 8);
	a.p[5] = 1;
	a.p[7] = (unsigned char)a.count;
	sendto(fd, a.p, a.n, 0, (struct sockaddr *)&from, from_n);
}

/* --- making it ---------------------------------------------------------------------------------
 */

struct dns_server *dns_server_new(struct event_base *base)
{
	struct dns_server *s = calloc(1, sizeof(*s));
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t n = sizeof(addr);

	ck_assert_ptr_nonnull(s);
	s->ttl_s = 300;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(s->fd, 0);
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&addr, &n), 0);
	snprintf(s->address, sizeof(s->address), "127.0.0.1@%u", ntohs(addr.sin_port));
	s->event = event_new(base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	event_add(s->event, NULL);
	return s;
}

void dns_server_free(struct dns_server *s)
{
	event_free(s->event);
	close(s->fd);
	free(s);
}

struct str dns_server_address(const struct dns_server *s)
{
	return str_from(s->address);
}

unsigned dns_server_asked(const struct dns_server *s, const char *name, uint16_t type)
{
	for (size_t i = 0; i < s->asked_n; i++) {
		if (s->asked[i].type == type && !strcasecmp(s->asked[i].name, name)) {
			return s->asked[i].count;
		}
	}
	return 0;
}
