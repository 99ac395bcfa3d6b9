/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/edit.h"

#include <errno.h>

struct sip_edit {
	struct sip_edit *next;
	uint32_t off, len;
	struct str ins;
};

static uint32_t edit_end(const struct sip_edit *edit)
{
	return edit->off + edit->len;
}

static bool is_removal(const struct sip_edit *edit)
{
	return edit->len > 0 && edit->ins.n == 0;
}

void sip_edits_init(struct sip_edits *e, const struct sip_msg *msg, struct arena *arena)
{
	*e = (struct sip_edits){ .msg = msg, .arena = arena };
}

void sip_edits_copy(struct sip_edits *to, const struct sip_edits *from, struct arena *arena)
{
	struct sip_edit *copy;

	sip_edits_init(to, from->msg, arena);
	to->err = from->err;
	if (from->n == 0) {
		return;
	}
	copy = arena_alloc(arena, from->n * sizeof(*copy));
	if (copy == NULL) {
		to->err = -ENOMEM;
		return;
	}
	to->first = copy;
	for (const struct sip_edit *edit = from->first; edit; edit = edit->next) {
		*copy = *edit;
		copy->next = edit->next ? copy + 1 : NULL;
		to->last = copy++;
	}
	to->n = from->n;
}

/* Makes @edit, a removal, cover [off, end) too, and takes in what it meets then. */
static void widen(struct sip_edits *e, struct sip_edit *edit, uint32_t off, uint32_t end)
{
	if (off < edit->off) {
		edit->len += edit->off - off;
		edit->off = off;
	}
	while (edit->next && edit->next->off < end) {
		if (!is_removal(edit->next)) {
			e->err = -EINVAL;
			return;
		}
		if (edit_end(edit->next) > end) {
			end = edit_end(edit->next);
		}
		edit->next = edit->next->next;
		e->n--;
	}
	if (end > edit_end(edit)) {
		edit->len = end - edit->off;
	}
	if (edit->next == NULL) {
		e->last = edit;
	}
}

void sip_edit_splice(struct sip_edits *e, uint32_t off, uint32_t len, struct str ins)
{
	struct sip_edit **at = &e->first, *edit;
	uint32_t end = off + len;

	if (e->err || (len == 0 && ins.n == 0)) {
		return;
	}
	if (e->last && edit_end(e->last) <= off) {
		at = &e->last->next; /* the usual case: from front to back */
	}
	while (*at && edit_end(*at) <= off) {
		at = &(*at)->next;
	}
	if (*at && ((*at)->off < end || (*at)->off < off)) {
		if (ins.n == 0 && is_removal(*at)) {
			widen(e, *at, off, end);
		} else {
			e->err = -EINVAL;
		}
		return;
	}
	edit = arena_alloc(e->arena, sizeof(*edit));
	if (edit == NULL) {
		e->err = -ENOMEM;
		return;
	}
	*edit = (struct sip_edit){ .next = *at, .off = off, .len = len, .ins = ins };
	*at = edit;
	e->n++;
	if (edit->next == NULL) {
		e->last = edit;
	}
}

static void cut(struct sip_edits *e, uint32_t off, uint32_t end)
{
	sip_edit_splice(e, off, end - off, STR_NONE);
}

void sip_edit_ruri(struct sip_edits *e, struct str uri)
{
	const struct sip_msg *msg = e->msg;

	sip_edit_splice(e, (uint32_t)(msg->ruri_text.p - msg->text.p), (uint32_t)msg->ruri_text.n,
	                uri);
}

void sip_edit_start_line(struct sip_edits *e, struct str line)
{
	sip_edit_splice(e, 0, e->msg->headers_off - 2, line);
}

void sip_edit_insert(struct sip_edits *e, enum sip_hdr before, struct str line)
{
	int index = before == SIP_H_OTHER ? -1 : e->msg->first[before];

	if (index < 0) {
		sip_edit_append(e, line);
	} else {
		sip_edit_splice(e, e->msg->headers[index].off, 0, line);
	}
}

void sip_edit_append(struct sip_edits *e, struct str line)
{
	sip_edit_splice(e, e->msg->body_off - 2, 0, line); /* before the empty line */
}

void sip_edit_set(struct sip_edits *e, int index, struct str value)
{
	const struct sip_header *h = &e->msg->headers[index];

	sip_edit_splice(e, h->value_off, h->value_n, value);
}

void sip_edit_remove(struct sip_edits *e, int index)
{
	const struct sip_header *h = &e->msg->headers[index];

	cut(e, h->off, h->next_off);
}

void sip_edit_remove_all(struct sip_edits *e, enum sip_hdr id)
{
	for (int i = sip_msg_next(e->msg, id, -1); i >= 0; i = sip_msg_next(e->msg, id, i)) {
		sip_edit_remove(e, i);
	}
}

/* Is the value at @it removed already? @at begins NULL-free at the first edit that may cover it and
 * moves on: values are asked for in order. */
static bool is_cut(const struct sip_edit **at, const struct sip_values *it)
{
	while (*at && edit_end(*at) <= it->off) {
		*at = (*at)->next;
	}
	return *at && is_removal(*at) && (*at)->off <= it->off;
}

/* Does a value behind @it stay in its field? *next_off_r: where the value behind it begins. */
static bool stays_behind(const struct sip_edits *e, const struct sip_values *it,
                         uint32_t *next_off_r)
{
	const struct sip_edit *at = e->last && edit_end(e->last) > it->off ? e->first : NULL;
	struct sip_values next = *it;

	*next_off_r = 0;
	while (sip_values_next(&next) && next.index == it->index) {
		if (*next_off_r == 0) {
			*next_off_r = next.off;
		}
		if (!is_cut(&at, &next)) {
			return true;
		}
	}
	return false;
}

/* The end of the last value before @it that stays in its field, 0 if there is none. */
static uint32_t stays_before(const struct sip_edits *e, const struct sip_values *it)
{
	const struct sip_edit *at = e->first;
	struct sip_values before = *it;
	uint32_t end = 0;

	before.rest = sip_msg_value(it->msg, it->index);
	while (sip_values_next(&before) && before.off < it->off) {
		if (!is_cut(&at, &before)) {
			end = before.end;
		}
	}
	return end;
}

/* A value goes with the comma behind it, or with the one before it when no value behind it stays.
 */
void sip_edit_remove_value(struct sip_edits *e, const struct sip_values *it)
{
	uint32_t next_off, kept_end;

	if (stays_behind(e, it, &next_off)) {
		cut(e, it->off, next_off);
		return;
	}
	kept_end = stays_before(e, it);
	if (kept_end) {
		cut(e, kept_end, it->end);
	} else {
		sip_edit_remove(e, it->index);
	}
}

void sip_edit_remove_top_via(struct sip_edits *e)
{
	const struct sip_msg *msg = e->msg;
	const struct sip_header *h;
	struct sip_values it;

	if (msg->first[SIP_H_VIA] < 0) {
		return;
	}
	h = &msg->headers[msg->via_header];
	if (msg->via_off == h->value_off && msg->via_end == h->value_off + h->value_n) {
		sip_edit_remove(e, msg->via_header); /* alone in its field, as usual */
		return;
	}
	sip_values_init(&it, e->msg, SIP_H_VIA);
	if (sip_values_next(&it)) {
		sip_edit_remove_value(e, &it);
	}
}

static void add_span(struct sip_out *out, const char *p, size_t n)
{
	if (n) {
		out->iov[out->iov_n++] =
			(struct iovec){ .iov_base = (void *)(uintptr_t)p, .iov_len = n };
		out->len += n;
	}
}

static int flatten(struct arena *arena, struct sip_out *out)
{
	char *all = arena_alloc(arena, out->len);

	if (all == NULL) {
		return -ENOMEM;
	}
	sip_out_copy(out, all, out->len);
	out->iov[0] = (struct iovec){ .iov_base = all, .iov_len = out->len };
	out->iov_n = 1;
	return 0;
}

int sip_edits_out(const struct sip_edits *e, struct arena *arena, struct sip_out *out_r)
{
	struct str text = e->msg->text;
	size_t done = 0;

	*out_r = (struct sip_out){ 0 };
	if (e->err) {
		return e->err;
	}
	out_r->iov = arena_alloc(arena, (2 * (size_t)e->n + 1) * sizeof(*out_r->iov));
	if (out_r->iov == NULL) {
		return -ENOMEM;
	}
	for (const struct sip_edit *edit = e->first; edit; edit = edit->next) {
		add_span(out_r, text.p + done, edit->off - done);
		add_span(out_r, edit->ins.p, edit->ins.n);
		done = edit_end(edit);
	}
	add_span(out_r, text.p + done, text.n - done);
	return out_r->iov_n > SIP_OUT_SPANS_MAX ? flatten(arena, out_r) : 0;
}

size_t sip_out_copy(const struct sip_out *out, char *to, size_t cap)
{
	size_t n = 0;

	for (unsigned int i = 0; i < out->iov_n && n + out->iov[i].iov_len <= cap; i++) {
		memcpy(to + n, out->iov[i].iov_base, out->iov[i].iov_len);
		n += out->iov[i].iov_len;
	}
	return n;
}
