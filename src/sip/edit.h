/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is forwarded: the original bytes with a short list of edits, as an iovec. No unchanged byte
 * is built anew. Edits may be added in any order. Removals may overlap each other; any other two
 * that touch the same bytes are a mistake of ours, told by sip_edits_out(). Insertions at one place
 * keep the order in which they were added.
 *
 * Removal and replacement of header fields works on whole fields or on single values of a list
 * field; sip_edit_* take care of commas.
 */
#pragma once

#include "sip/msg.h"

#include <sys/uio.h>

struct sip_edit;

struct sip_edits {
	const struct sip_msg *msg;
	struct arena *arena; /* where edits and inserted text live; usually the message's */
	struct sip_edit *first, *last; /* sorted by offset */
	unsigned n;
	int err; /* -ENOMEM, -EINVAL (two edits of the same bytes); sticky: sip_edits_out() returns it */
};

BELFRY_API void sip_edits_init(struct sip_edits *e, const struct sip_msg *msg, struct arena *arena);
/* A copy of the list so far: each branch of a fork begins with what all have in common. The text
 * of the edits is shared. */
BELFRY_API void sip_edits_copy(struct sip_edits *to, const struct sip_edits *from, struct arena *arena);

/* Replaces text[off, off+len) by @ins (borrowed, must outlive the output; not copied). */
BELFRY_API void sip_edit_splice(struct sip_edits *e, uint32_t off, uint32_t len, struct str ins);
/* Whole Request-URI. */
BELFRY_API void sip_edit_ruri(struct sip_edits *e, struct str uri);
/* @line is "Name: value\r\n" (one or more lines), placed before the first field of kind @before, or
 * behind the last field if there is none (SIP_H_OTHER: always at the end; SIP_H_VIA: the top). */
BELFRY_API void sip_edit_insert(struct sip_edits *e, enum sip_hdr before, struct str line);
BELFRY_API void sip_edit_append(struct sip_edits *e, struct str line); /* behind the last field */
/* The value of field @index becomes @value (the field name stays). */
BELFRY_API void sip_edit_set(struct sip_edits *e, int index, struct str value);
BELFRY_API void sip_edit_remove(struct sip_edits *e, int index); /* the whole field */
BELFRY_API void sip_edit_remove_all(struct sip_edits *e, enum sip_hdr id);
/* One value as found by sip_values_next(), with its comma; the whole field when it is the only
 * value. To remove the first k values call it for each, in order. */
BELFRY_API void sip_edit_remove_value(struct sip_edits *e, const struct sip_values *it);
/* The top Via value (responses go upstream without it). */
BELFRY_API void sip_edit_remove_top_via(struct sip_edits *e);
/* Start line, whole: "SIP/2.0 503 Service Unavailable" etc., without CRLF. */
BELFRY_API void sip_edit_start_line(struct sip_edits *e, struct str line);

/* The message to send. Valid while the message, the arena and inserted texts live. */
struct sip_out {
	struct iovec *iov;
	unsigned iov_n;
	size_t len;
};
#define SIP_OUT_SPANS_MAX 64 /* more are copied into one: sendmsg() has a limit */
/* In @arena. -ENOMEM, -EINVAL. */
BELFRY_API int sip_edits_out(const struct sip_edits *e, struct arena *arena, struct sip_out *out_r);
/* The one permitted copy: flattened bytes, for tests and hand-over to another worker. */
BELFRY_API size_t sip_out_copy(const struct sip_out *out, char *to, size_t cap);
