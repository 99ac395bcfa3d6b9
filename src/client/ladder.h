/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls drawn as they happen: a column for each address and one for the server, an arrow for each
 * message with its time, transport and CSeq. Nothing of a message steers the terminal.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct ladder;

/* @width: columns of the terminal. NULL: out of memory. */
struct ladder *ladder_new(FILE *out, unsigned width, bool with_text);
void ladder_free(struct ladder *l);
/* @m as the server's notification has it. */
void ladder_message(struct ladder *l, const json_t *m);
void ladder_dropped(struct ladder *l, long long n);
