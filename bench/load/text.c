/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_name(const char *line, size_t n, const char *name)
{
	size_t k = strlen(name);

	return n > k && line[k] == ':' && strncasecmp(line, name, k) == 0;
}

static struct span field_value(const char *line, size_t n)
{
	const char *p = memchr(line, ':', n);
	const char *end = line + n;

	for (p++; p < end && (*p == ' ' || *p == '\t'); p++) {
	}
	return (struct span){ p, (size_t)(end - p) };
}

static void lines_add(struct lines *l, const char *line, size_t n)
{
	if (l->n < sizeof(l->v) / sizeof(l->v[0])) {
		l->v[l->n++] = (struct span){ line, n + 2 };
	}
}

static void scan_field(struct scanned *s, const char *line, size_t n)
{
	switch (line[0] | 0x20) {
	case 'v':
		if (is_name(line, n, "Via")) {
			lines_add(&s->vias, line, n);
		}
		break;
	case 'r':
		if (is_name(line, n, "Record-Route")) {
			lines_add(&s->record_routes, line, n);
		}
		break;
	case 'f':
		if (is_name(line, n, "From")) {
			s->from = field_value(line, n);
		}
		break;
	case 't':
		if (is_name(line, n, "To")) {
			s->to = field_value(line, n);
		}
		break;
	case 'c':
		if (is_name(line, n, "Call-ID")) {
			s->call_id = field_value(line, n);
		} else if (is_name(line, n, "CSeq")) {
			s->cseq = field_value(line, n);
		} else if (is_name(line, n, "Contact")) {
			s->contact = field_value(line, n);
		}
		break;
	case 'w':
		if (is_name(line, n, "WWW-Authenticate") && !s->authenticate.p) {
			s->authenticate = field_value(line, n);
		}
		break;
	}
}

bool scan(const char *p, size_t n, struct scanned *s_r)
{
	const char *end = p + n, *line = memchr(p, '\n', n);

	*s_r = (struct scanned){ .call = UINT32_MAX };
	if (n < 12 || !line) {
		return false;
	}
	if (memcmp(p, "SIP/2.0 ", 8) == 0) {
		s_r->status = atoi(p + 8);
	} else {
		s_r->method = *p;
	}
	for (line++; line < end && *line != '\r'; line++) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));

		if (!eol) {
			return false;
		}
		scan_field(s_r, line, (size_t)(eol - line) - 1);
		line = eol;
	}
	if (!s_r->call_id.p || !s_r->cseq.p) {
		return false;
	}
	if (s_r->status) {
		const char *m = memchr(s_r->cseq.p, ' ', s_r->cseq.n);

		s_r->method = m ? m[1] : 0;
	}
	/* A response is known by our branch, a request by the Call-ID. */
	const char *b = s_r->status && s_r->vias.n ? memmem(s_r->vias.v[0].p, s_r->vias.v[0].n, "z9hG4bKb", 8) : NULL;
	if (b ? sscanf(b + 8, "%x.%x.", &s_r->run, &s_r->call) != 2
	      : sscanf(s_r->call_id.p, "b-%u-%u@", &s_r->call, &s_r->run) != 2) {
		s_r->call = UINT32_MAX;
	}
	return true;
}

size_t frame(const char *p, size_t n)
{
	const char *head = memmem(p, n, "\r\n\r\n", 4);

	if (!head) {
		return 0;
	}
	size_t head_n = (size_t)(head - p) + 4, body = 0;
	for (const char *line = p; line < head; line++) {
		if (strncasecmp(line, "Content-Length:", 15) == 0) {
			body = (size_t)strtoul(line + 15, NULL, 10);
		}
		line = memchr(line, '\n', (size_t)(p + n - line));
	}
	return head_n + body <= n ? head_n + body : 0;
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(t->p + t->n, t->cap - t->n, fmt, ap);
	va_end(ap);
	t->n = t->n + (size_t)n < t->cap ? t->n + (size_t)n : t->cap - 1;
}

void text_span(struct text *t, struct span s)
{
	if (s.n < t->cap - t->n) {
		memcpy(t->p + t->n, s.p, s.n);
		t->n += s.n;
	}
}

void text_lines(struct text *t, const struct lines *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		text_span(t, l->v[i]);
	}
}

void text_routes(struct text *t, const struct lines *rr)
{
	struct span v[16];
	size_t n = 0;

	for (unsigned i = 0; i < rr->n; i++) { /* every <...> is one value */
		const char *end = rr->v[i].p + rr->v[i].n;

		for (const char *p = rr->v[i].p; p < end && n < 16;) {
			const char *a = memchr(p, '<', (size_t)(end - p));
			const char *b = a ? memchr(a, '>', (size_t)(end - a)) : NULL;

			if (!b) {
				break;
			}
			v[n++] = (struct span){ a, (size_t)(b - a) + 1 };
			p = b + 1;
		}
	}
	while (n > 0) {
		n--;
		text_add(t, "Route: %.*s\r\n", (int)v[n].n, v[n].p);
	}
}

static void hash_hex(const char *algorithm, const char *text, char *out)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	EVP_Digest(text, strlen(text), md, &n, strcmp(algorithm, "MD5") == 0 ? EVP_md5() : EVP_sha256(), NULL);
	for (unsigned i = 0; i < n; i++) {
		sprintf(out + 2 * i, "%02x", md[i]);
	}
}

static void challenge_param(struct span ch, const char *name, char *out, size_t cap)
{
	const char *p = memmem(ch.p, ch.n, name, strlen(name));

	out[0] = 0;
	if (p) {
		p += strlen(name);
		p += *p == '"';
		size_t n = strcspn(p, "\",\r\n ");
		snprintf(out, cap, "%.*s", (int)n, p);
	}
}

void text_digest(struct text *t, const char *line, struct span ch, const char *method, const char *uri,
		 const char *user, const char *password)
{
	char realm[128], nonce[256], alg[32], a[600], ha1[129], ha2[129], response[129];

	challenge_param(ch, "realm=", realm, sizeof(realm));
	challenge_param(ch, "nonce=", nonce, sizeof(nonce));
	challenge_param(ch, "algorithm=", alg, sizeof(alg));
	if (!alg[0]) {
		strcpy(alg, "MD5");
	}
	snprintf(a, sizeof(a), "%s:%s:%s", user, realm, password);
	hash_hex(alg, a, ha1);
	snprintf(a, sizeof(a), "%s:%s", method, uri);
	hash_hex(alg, a, ha2);
	snprintf(a, sizeof(a), "%s:%s:00000001:c0ffee:auth:%s", ha1, nonce, ha2);
	hash_hex(alg, a, response);
	text_add(t,
		 "%s: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\", "
		 "algorithm=%s, qop=auth, nc=00000001, cnonce=\"c0ffee\"\r\n",
		 line, user, realm, nonce, uri, response, alg);
}
