/* SPDX-License-Identifier: Apache-2.0 */
/* Results for people: tables of rows, names with values. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* @columns: members of rows to show, in order, separated by spaces; `a{b}` shows b behind a. NULL:
 * all members of the first row. Control characters are not passed on to the terminal. */
void print_result(FILE *out, const json_t *result, const char *columns);
