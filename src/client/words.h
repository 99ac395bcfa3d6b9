/* SPDX-License-Identifier: Apache-2.0 */
/* From the words of a command line to a method and its parameters, by the server's table. */
#pragma once

#include <jansson.h>

/* The entry of @commands that the first words name (the longest name wins) and how many they are;
 * NULL: there is none. Borrowed. */
const json_t *words_find(const json_t *commands, char **words, int n, int *used_r);
/* What is nearest to the first words; NULL: nothing. Borrowed. */
const char *words_near(const json_t *commands, char **words, int n);

/* The words behind the command as parameters; the content of a file to be sent is there, of a file
 * to be written the name. NULL with *why_r (a sentence, static or of @words).
 */
json_t *words_params(const json_t *command, char **words, int n, const char **why_r);
