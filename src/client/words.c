/* SPDX-License-Identifier: Apache-2.0 */
#include "client/words.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "util/near.h"
#include "util/str.h"

#define NAME_MAX_LEN  128
#define PASSWORD_MAX  1024
#define FILE_SIZE_MAX 65536

static const char *member(const json_t *o, const char *key)
{
	const char *v = json_string_value(json_object_get(o, key));

	return v ? v : "";
}

/* The first @n words joined by `.`; false: too long. */
static bool join(char **words, int n, char out[NAME_MAX_LEN])
{
	size_t len = 0;

	for (int i = 0; i < n; i++) {
		size_t w = strlen(words[i]);

		if (len + w + 2 > NAME_MAX_LEN) {
			return false;
		}
		if (i > 0) {
			out[len++] = '.';
		}
		memcpy(out + len, words[i], w);
		len += w;
	}
	out[len] = '\0';
	return n > 0;
}

const json_t *words_find(const json_t *commands, char **words, int n, int *used_r)
{
	char name[NAME_MAX_LEN];
	const json_t *c;
	size_t i;

	for (int used = n < 3 ? n : 3; used > 0; used--) {
		if (!join(words, used, name)) {
			continue;
		}
		json_array_foreach(commands, i, c)
		{
			if (strcmp(member(c, "name"), name) == 0) {
				*used_r = used;
				return c;
			}
		}
	}
	return NULL;
}

const char *words_near(const json_t *commands, char **words, int n)
{
	char name[NAME_MAX_LEN];
	struct near best = { .distance = NEAR_LEN_MAX };
	const json_t *c;
	size_t i;

	for (int used = n < 2 ? n : 2; used > 0; used--) {
		struct near near;

		if (!join(words, used, name)) {
			continue;
		}
		near_init(&near, str_from(name));
		json_array_foreach(commands, i, c)
		{
			near_try(&near, str_from(member(c, "name")));
		}
		if (near.best.n > 0 && near.distance < best.distance) {
			best = near;
		}
	}
	return best.best.p;
}

/* --- a password ---------------------------------------------------------------------------------
 */

/* A line of the standard input, unseen on a terminal. NULL: none. */
static char *read_secret(char space[PASSWORD_MAX])
{
	struct termios old, quiet;
	bool is_tty = tcgetattr(STDIN_FILENO, &old) == 0;
	char *line;

	if (is_tty) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)fputs("Password: ", stderr);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	line = fgets(space, PASSWORD_MAX, stdin);
	if (is_tty) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		(void)fputc('\n', stderr);
	}
	return line;
}

/* The line's end goes. What is cut off would be another password. */
static const char *check_secret(char *secret)
{
	size_t n = strlen(secret);

	if (n + 1 == PASSWORD_MAX && secret[n - 1] != '\n') {
		return "the password is too long";
	}
	secret[strcspn(secret, "\r\n")] = '\0';
	return *secret ? NULL : "nothing came from the standard input";
}

/* --- parameters ---------------------------------------------------------------------------------
 */

/* Is @name, as it is typed (call-id), that of the parameter @have (call_id)? */
static bool is_name(const char *have, const char *name, size_t n)
{
	if (strlen(have) != n) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (have[i] != (name[i] == '-' ? '_' : name[i])) {
			return false;
		}
	}
	return true;
}

/* The argument of that name and kind; NULL. */
static const json_t *find_arg(const json_t *args, const char *name, size_t n, const char *kind)
{
	const json_t *a;
	size_t i;

	json_array_foreach(args, i, a)
	{
		if (strcmp(member(a, "kind"), kind) == 0 && is_name(member(a, "name"), name, n)) {
			return a;
		}
	}
	return NULL;
}

/* One that takes a value. */
static const json_t *find_option(const json_t *args, const char *name, size_t n)
{
	const json_t *a = find_arg(args, name, n, "option");

	a = a ? a : find_arg(args, name, n, "file");
	return a ? a : find_arg(args, name, n, "outfile");
}

static const json_t *positional(const json_t *args, int index)
{
	const json_t *a;
	size_t i;

	json_array_foreach(args, i, a)
	{
		if (strcmp(member(a, "kind"), "positional") == 0 && index-- == 0) {
			return a;
		}
	}
	return NULL;
}

static const char *set(json_t *params, const char *name, json_t *value)
{
	return value && json_object_set_new(params, name, value) == 0
	               ? NULL
	               : "an argument is no UTF-8 text";
}

static const char *set_secret(json_t *params, const char *name)
{
	char space[PASSWORD_MAX];
	char *secret = read_secret(space);
	const char *why = secret ? check_secret(secret) : "nothing came from the standard input";

	why = why ? why : set(params, name, json_string(secret));
	explicit_bzero(space, sizeof(space));
	return why;
}

/* The content of a file; of the standard input when it is called `-`. */
static const char *set_file(json_t *params, const char *name, const char *path)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
	char *text = f ? malloc(FILE_SIZE_MAX + 1) : NULL;
	size_t n = text ? fread(text, 1, FILE_SIZE_MAX + 1, f) : 0;
	const char *why = NULL;

	if (!f || !text || ferror(f)) {
		why = "the file cannot be read";
	} else if (n > FILE_SIZE_MAX) {
		why = "the file is too large";
	} else if (n == 0) {
		why = "the file is empty";
	} else {
		why = set(params, name, json_stringn(text, n));
	}
	if (f && f != stdin) {
		(void)fclose(f);
	}
	free(text);
	return why;
}

/* An option at words[*i]; moves on when its value is the next word. NULL, or what is wrong. */
static const char *take_option(const json_t *args, char **words, int n, int *i, json_t *params)
{
	const char *name = words[*i] + 2, *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	const json_t *a;

	a = find_option(args, name, len);
	if (a) {
		if (!value && *i + 1 >= n) {
			return "an option lacks its value";
		}
		value = value ? value + 1 : words[++*i];
		if (strcmp(member(a, "kind"), "file") == 0) {
			return set_file(params, member(a, "name"), value);
		}
		return set(params, member(a, "name"), json_string(value));
	}
	if (value) {
		return "there is no such option with a value";
	}
	a = find_arg(args, name, len, "flag");
	if (a) {
		return set(params, member(a, "name"), json_true());
	}
	if (len > 6 && strcmp(name + len - 6, "-stdin") == 0) {
		a = find_arg(args, name, len - 6, "stdin");
	}
	return a ? set_secret(params, member(a, "name")) : "there is no such option";
}

/* "-v" */
static const char *take_flag(const json_t *args, const char *word, json_t *params)
{
	const json_t *a = find_arg(args, word + 1, 1, "flag");

	return a ? set(params, member(a, "name"), json_true()) : "there is no such option";
}

/* The content of a file stands in place of the words. */
static const char *missing(const json_t *args, const json_t *params)
{
	const json_t *a;
	size_t i;

	json_array_foreach(args, i, a)
	{
		if (strcmp(member(a, "kind"), "file") == 0 &&
		    json_object_get(params, member(a, "name"))) {
			return NULL;
		}
	}
	json_array_foreach(args, i, a)
	{
		if (!json_is_true(json_object_get(a, "optional")) &&
		    !json_object_get(params, member(a, "name"))) {
			return "an argument is missing";
		}
	}
	return NULL;
}

json_t *words_params(const json_t *command, char **words, int n, const char **why_r)
{
	const json_t *args = json_object_get(command, "args"), *a;
	json_t *params = json_object();
	const char *why = params ? NULL : "out of memory";
	bool options_end = false;
	int place = 0;

	for (int i = 0; !why && i < n; i++) {
		if (!options_end && strcmp(words[i], "--") == 0) {
			options_end = true;
		} else if (!options_end && strncmp(words[i], "--", 2) == 0) {
			why = take_option(args, words, n, &i, params);
		} else if (!options_end && words[i][0] == '-' && words[i][1] && !words[i][2]) {
			why = take_flag(args, words[i], params);
		} else {
			a = positional(args, place++);
			why = a ? set(params, member(a, "name"), json_string(words[i]))
			        : "there are too many arguments";
		}
	}
	why = why ? why : missing(args, params);
	if (why) {
		json_decref(params);
		params = NULL;
	}
	*why_r = why;
	return params;
}
