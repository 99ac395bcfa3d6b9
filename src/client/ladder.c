/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ladder.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/print.h"
#include "util/base64.h"

#define MARGIN    14u /* the time stands there */
#define TAIL      22u /* transport, CSeq, call */
#define GAP_MIN   18u /* between two lines */
#define GAP_MAX   28u
#define PEERS_MIN 2u
#define PEERS_MAX 12u
#define CALLS_MAX 256u
#define ID_MAX    128u
#define LINE_MAX  (MARGIN + (PEERS_MAX + 1) * GAP_MAX + 1)

struct peer {
	char addr[72];
	unsigned long used;
};

struct call {
	char id[ID_MAX]; /* cut there: that is enough to tell calls apart */
	unsigned number;
};

struct ladder {
	FILE *out;
	unsigned width;
	bool with_text;
	struct peer peers[PEERS_MAX]; /* the server's line stands behind the first */
	unsigned peers_n;
	struct call calls[CALLS_MAX]; /* a ring */
	unsigned calls_n;             /* ever */
	unsigned long clock;
};

struct ladder *ladder_new(FILE *out, unsigned width, bool with_text)
{
	struct ladder *l = calloc(1, sizeof(*l));

	if (l) {
		l->out = out;
		l->width = width;
		l->with_text = with_text;
	}
	return l;
}

void ladder_free(struct ladder *l)
{
	free(l);
}

/* --- text ---------------------------------------------------------------------------------------
 */

static const char *member(const json_t *m, const char *key)
{
	const char *v = json_string_value(json_object_get(m, key));

	return v ? v : "";
}

/* ASCII of at most @cap - 1 bytes; what had to be cut ends in dots. */
static void copy_plain(char *to, size_t cap, const char *from)
{
	size_t n = strlen(from), take = n < cap ? n : cap - 1;

	for (size_t i = 0; i < take; i++) {
		to[i] = (char)(from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?');
	}
	to[take] = '\0';
	if (take < n && take > 2) {
		memcpy(to + take - 2, "..", 2);
	}
}

static void put_plain(FILE *out, const char *text)
{
	char space[512];

	copy_plain(space, sizeof(space), text);
	(void)fputs(space, out);
}

/* "INVITE", "180 Ringing". */
static void label_of(const json_t *m, char *out, size_t cap)
{
	const json_t *status = json_object_get(m, "status");
	char text[256];

	if (status) {
		(void)snprintf(text, sizeof(text), "%d %s", (int)json_integer_value(status),
		               member(m, "reason"));
	} else {
		const char *method = member(m, "method");

		(void)snprintf(text, sizeof(text), "%s",
		               *method ? method : member(m, "start_line"));
	}
	copy_plain(out, cap, text);
}

static void time_text(const json_t *m, char out[MARGIN + 1])
{
	double at = json_number_value(json_object_get(m, "time"));
	time_t s = (time_t)at;
	struct tm tm;
	int ms = (int)((at - (double)s) * 1000);

	(void)localtime_r(&s, &tm);
	(void)strftime(out, MARGIN, "%H:%M:%S", &tm);
	(void)snprintf(out + strlen(out), 5, ".%03u", (unsigned)ms % 1000);
}

/* --- columns ------------------------------------------------------------------------------------
 */

static unsigned peers_that_fit(const struct ladder *l)
{
	unsigned room = l->width > MARGIN + TAIL ? (l->width - MARGIN - TAIL) / GAP_MIN : 0;

	/* One line is the server's. */
	room = room > 0 ? room - 1 : 0;
	return room < PEERS_MIN ? PEERS_MIN : room > PEERS_MAX ? PEERS_MAX : room;
}

static unsigned gap(const struct ladder *l)
{
	/* A call has two peers: the lines stay where they are when the second comes. */
	unsigned lines = (l->peers_n < PEERS_MIN ? PEERS_MIN : l->peers_n) + 1;
	unsigned g = l->width > MARGIN + TAIL ? (l->width - MARGIN - TAIL) / lines : 0;

	return g < GAP_MIN ? GAP_MIN : g > GAP_MAX ? GAP_MAX : g;
}

static unsigned place_of_peer(unsigned i)
{
	return i == 0 ? 0 : i + 1;
}

static unsigned x_of(const struct ladder *l, unsigned place)
{
	unsigned g = gap(l);

	return MARGIN + g / 2 + place * g;
}

/* The column of @addr; *is_new_r when the heading has changed. */
static unsigned find_peer(struct ladder *l, const char *addr, bool *is_new_r)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < l->peers_n; i++) {
		if (strncmp(l->peers[i].addr, addr, sizeof(l->peers[i].addr) - 1) == 0) {
			l->peers[i].used = ++l->clock;
			*is_new_r = false;
			return i;
		}
		oldest = l->peers[i].used < l->peers[oldest].used ? i : oldest;
	}
	if (l->peers_n < peers_that_fit(l)) {
		oldest = l->peers_n++;
	}
	(void)snprintf(l->peers[oldest].addr, sizeof(l->peers[oldest].addr), "%s", addr);
	l->peers[oldest].used = ++l->clock;
	*is_new_r = true;
	return oldest;
}

static void blank_line(const struct ladder *l, char line[LINE_MAX], char mark)
{
	memset(line, ' ', LINE_MAX - 1);
	line[LINE_MAX - 1] = '\0';
	for (unsigned i = 0; mark && i <= l->peers_n; i++) {
		line[x_of(l, i)] = mark;
	}
}

static void put_line(const struct ladder *l, char line[LINE_MAX])
{
	size_t n = LINE_MAX - 1;

	while (n > 0 && line[n - 1] == ' ') {
		n--;
	}
	line[n] = '\0';
	(void)fputs(line, l->out);
}

/* Centred on @x; the end of an address says more than its beginning. */
static void put_heading(const struct ladder *l, char line[LINE_MAX], unsigned place,
                        const char *text)
{
	size_t n = strlen(text), room = gap(l) - 1, from = 0;
	unsigned x = x_of(l, place);

	if (n > room) {
		from = n - room;
		n = room;
	}
	memcpy(line + x - n / 2, text + from, n);
	if (from) {
		memcpy(line + x - n / 2, "..", 2);
	}
}

static void heading(const struct ladder *l)
{
	char line[LINE_MAX];

	blank_line(l, line, '\0');
	put_heading(l, line, 1, "belfry");
	for (unsigned i = 0; i < l->peers_n; i++) {
		put_heading(l, line, place_of_peer(i), l->peers[i].addr);
	}
	put_line(l, line);
	(void)fputc('\n', l->out);
}

/* --- calls --------------------------------------------------------------------------------------
 */

/* The number of a call; *is_new_r when it is seen for the first time. */
static unsigned find_call(struct ladder *l, const char *id, bool *is_new_r)
{
	unsigned n = l->calls_n < CALLS_MAX ? l->calls_n : CALLS_MAX;
	struct call *c;

	*is_new_r = false;
	for (unsigned i = 0; i < n; i++) {
		if (strncmp(l->calls[i].id, id, ID_MAX - 1) == 0) {
			return l->calls[i].number;
		}
	}
	*is_new_r = true;
	c = &l->calls[l->calls_n++ % CALLS_MAX];
	(void)snprintf(c->id, sizeof(c->id), "%s", id);
	c->number = l->calls_n;
	return c->number;
}

static void introduce(const struct ladder *l, unsigned number, const json_t *m)
{
	(void)fprintf(l->out, "%s[%u] ", number > 1 ? "\n" : "", number);
	put_plain(l->out, member(m, "from"));
	(void)fputs(" -> ", l->out);
	put_plain(l->out, member(m, "to"));
	(void)fputs("  Call-ID ", l->out);
	put_plain(l->out, member(m, "call_id"));
	(void)fputc('\n', l->out);
}

/* --- messages -----------------------------------------------------------------------------------
 */

/* From @a to @b; the label stands next to the peer's line, at @peer. */
static void draw_arrow(const struct ladder *l, char line[LINE_MAX], unsigned a, unsigned b,
                       unsigned peer, const char *label)
{
	unsigned left = a < b ? a : b, right = a < b ? b : a, at = peer == right ? right - 1 : left;
	unsigned from = x_of(l, at), to = x_of(l, at + 1), x, n = (unsigned)strlen(label);

	for (x = x_of(l, left) + 1; x < x_of(l, right); x++) {
		line[x] = line[x] == '|' ? '|' : '-';
	}
	line[a < b ? x_of(l, right) - 1 : x_of(l, left) + 1] = a < b ? '>' : '<';
	x = from + (to - from - n) / 2;
	line[x] = ' ';
	memcpy(line + x + 1, label, n);
	line[x + n + 1] = ' ';
}

static void put_text(const struct ladder *l, char *text)
{
	char *next;

	for (; text; text = next) {
		next = strchr(text, '\n');
		if (next) {
			*next++ = '\0';
		}
		text[strcspn(text, "\r")] = '\0';
		if (*text || next) {
			print_tame(text);
			(void)fprintf(l->out, "%s\n", text);
		}
	}
	(void)fputc('\n', l->out);
}

/* What is no UTF-8 comes in base64; all but ASCII is hidden. */
static char *decode(const char *coded)
{
	struct str in = str_from(coded);
	char *text = malloc(in.n + 1);
	ptrdiff_t n = text ? base64_decode(text, in.n, in) : -1;

	if (n < 0) {
		free(text);
		return NULL;
	}
	for (ptrdiff_t i = 0; i < n; i++) {
		text[i] = (char)((unsigned char)text[i] < 0x80 && text[i] ? text[i] : '?');
	}
	text[n] = '\0';
	return text;
}

/* As it is, to be copied: between empty lines. */
static void show_text(const struct ladder *l, const json_t *m)
{
	const char *coded = json_string_value(json_object_get(m, "base64"));
	char *text = coded ? decode(coded) : strdup(member(m, "text"));

	if (text) {
		(void)fputc('\n', l->out);
		put_text(l, text);
	}
	free(text);
}

static void show_arrow(const struct ladder *l, const json_t *m, unsigned peer, bool is_sent,
                       unsigned call)
{
	char line[LINE_MAX], label[64], at[MARGIN + 1], cseq[48];
	unsigned here = 1, there = place_of_peer(peer);
	size_t room = gap(l) - 5 < sizeof(label) ? gap(l) - 5 : sizeof(label);

	label_of(m, label, room);
	blank_line(l, line, '|');
	draw_arrow(l, line, is_sent ? here : there, is_sent ? there : here, there, label);
	time_text(m, at);
	memcpy(line, at, strlen(at));
	put_line(l, line);
	copy_plain(cseq, sizeof(cseq), member(m, "cseq"));
	(void)fprintf(l->out, "  %-3s  %s", member(m, "transport"), cseq);
	if (l->calls_n > 1) {
		(void)fprintf(l->out, "  [%u]", call);
	}
	(void)fputc('\n', l->out);
}

void ladder_message(struct ladder *l, const json_t *m)
{
	bool is_sent = strcmp(member(m, "direction"), "sent") == 0, is_new_peer, is_new_call;
	unsigned peer, call;

	peer = find_peer(l, member(m, is_sent ? "destination" : "source"), &is_new_peer);
	call = find_call(l, member(m, "call_id"), &is_new_call);
	if (is_new_call) {
		introduce(l, call, m);
	}
	if (is_new_peer) {
		heading(l);
	}
	show_arrow(l, m, peer, is_sent, call);
	if (l->with_text) {
		show_text(l, m);
	}
	(void)fflush(l->out);
}

void ladder_dropped(struct ladder *l, long long n)
{
	(void)fprintf(l->out, "... %lld messages are not shown: there were too many at once\n", n);
	(void)fflush(l->out);
}
