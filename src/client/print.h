/* SPDX-License-Identifier: Apache-2.0 */
/* Results for people: tables of rows, names with values. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* @columns: members of rows to show, in order, separated by spaces; `a{b}` shows b behind a. NULL:
 * all members of the first row. With `inner/` in front they are those of the rows of that member,
 * below the others of each and other tables. Control characters are not passed on to the terminal. */
void print_result(FILE *out, const json_t *result, const char *columns);

/* What might steer the terminal becomes `?`: C0, DEL, and C1 in UTF-8. */
void print_tame(char *s);
