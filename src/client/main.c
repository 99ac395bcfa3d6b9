/* SPDX-License-Identifier: Apache-2.0 */
/*
 * belfryctl: asks the running server. It knows no command itself: the server's table says which
 * there are and how their words become parameters.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ask.h"
#include "client/print.h"
#include "client/trace.h"
#include "client/words.h"

#define SOCKET BELFRY_RUNSTATEDIR "/belfry/control.sock"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_UNREACHABLE = 2, EXIT_USAGE = 64 };

struct options {
	const char *socket;
	bool json, help, version;
	char **words; /* the rest, without --json */
	int words_n;
};

static void usage(FILE *out)
{
	(void)fputs("usage: belfryctl [-s SOCKET] [--json] COMMAND [ARGS]\n"
	            "  -s SOCKET  control socket (default " SOCKET ")\n"
	            "  --json     print the result as it came\n"
	            "  -h         this text and the server's commands\n"
	            "  -V         version\n",
	            out);
}

/* false: wrong usage. Options of ours end at the first word; --json may stand anywhere. */
static bool parse(int argc, char **argv, struct options *o)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		if (strcmp(argv[i], "-s") == 0 && i + 1 < argc) {
			o->socket = argv[++i];
		} else if (strcmp(argv[i], "--json") == 0) {
			o->json = true;
		} else if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
			o->help = true;
		} else if (strcmp(argv[i], "-V") == 0 || strcmp(argv[i], "--version") == 0) {
			o->version = true;
		} else {
			return false;
		}
	}
	o->words = argv + i;
	for (; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			o->json = true;
		} else {
			o->words[o->words_n++] = argv[i];
		}
	}
	return true;
}

static int gone(const char *socket)
{
	(void)fprintf(stderr, "belfryctl: the server at %s closed the connection\n", socket);
	return EXIT_UNREACHABLE;
}

static void list_commands(const json_t *commands)
{
	const json_t *c;
	size_t i;

	(void)puts("\ncommands:");
	json_array_foreach(commands, i, c)
	{
		(void)printf("  %s\n      %s\n", json_string_value(json_object_get(c, "usage")),
		             json_string_value(json_object_get(c, "help")));
	}
}

static int unknown(const json_t *commands, const struct options *o)
{
	const char *near = words_near(commands, o->words, o->words_n);

	(void)fprintf(stderr, "belfryctl: unknown command \"%s\"", o->words[0]);
	if (near) {
		(void)fputs("; did you mean \"", stderr);
		for (; *near; near++) {
			(void)fputc(*near == '.' ? ' ' : *near, stderr);
		}
		(void)fputs("\"?", stderr);
	}
	(void)fputs("\nbelfryctl -h lists the commands\n", stderr);
	return EXIT_USAGE;
}

static int show(const struct options *o, const json_t *command, const json_t *result)
{
	if (o->json) {
		(void)json_dumpf(result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(16));
		(void)putchar('\n');
	} else {
		print_result(stdout, result,
		             json_string_value(json_object_get(command, "columns")));
	}
	return fflush(stdout) || ferror(stdout) ? EXIT_REFUSED : EXIT_DONE;
}

static int refused(const json_t *error)
{
	const char *why = json_string_value(json_object_get(error, "message"));
	char *text = why ? strdup(why) : NULL; /* may quote what a stranger sent */

	if (text) {
		print_tame(text);
	}
	(void)fprintf(stderr, "belfryctl: %s\n", text ? text : "refused");
	free(text);
	return EXIT_REFUSED;
}

/* The name of the file that the client writes, taken out of @params; NULL: none. */
static char *take_outfile(const json_t *command, json_t *params)
{
	const json_t *args = json_object_get(command, "args"), *a;
	char *path = NULL;
	size_t i;

	json_array_foreach(args, i, a)
	{
		const char *name = json_string_value(json_object_get(a, "name"));
		const char *kind = json_string_value(json_object_get(a, "kind"));
		const char *value = json_string_value(json_object_get(params, name));

		if (value && !path && strcmp(kind, "outfile") == 0) {
			path = strdup(value);
			(void)json_object_del(params, name);
		}
	}
	return path;
}

/* A command that goes on until it is interrupted, which is a good end. */
static int run_stream(struct ask *ask, const struct options *o, const json_t *command,
                      json_t *params)
{
	struct trace_options to = { .json = o->json };
	json_t *result = NULL;
	char *path = take_outfile(command, params);
	int code;

	to.pcap = path;
	to.with_text = json_is_true(json_object_get(params, "v"));
	if (path) {
		(void)json_object_set_new(params, "v", json_true());
	}
	code = trace_run(ask, json_string_value(json_object_get(command, "name")), params, &to,
	                 &result);
	free(path);
	if (code == -1) {
		return gone(o->socket);
	}
	code = code == 1 ? refused(result) : code == -2 ? EXIT_REFUSED : EXIT_DONE;
	json_decref(result);
	return code;
}

static int run(struct ask *ask, const json_t *commands, const struct options *o)
{
	const json_t *command;
	json_t *params, *result;
	const char *why;
	int used, answer, code;

	command = words_find(commands, o->words, o->words_n, &used);
	if (!command) {
		return unknown(commands, o);
	}
	params = words_params(command, o->words + used, o->words_n - used, &why);
	if (!params) {
		(void)fprintf(stderr, "belfryctl: %s\nusage: belfryctl %s\n", why,
		              json_string_value(json_object_get(command, "usage")));
		return EXIT_USAGE;
	}
	if (json_is_true(json_object_get(command, "streams"))) {
		return run_stream(ask, o, command, params);
	}
	answer =
		ask_call(ask, json_string_value(json_object_get(command, "name")), params, &result);
	if (answer < 0) {
		return gone(o->socket);
	}
	code = answer ? refused(result) : show(o, command, result);
	json_decref(result);
	return code;
}

static int with_server(const struct options *o)
{
	struct ask *ask = ask_open(o->socket);
	const json_t *commands;
	json_t *table;
	int code;

	if (!ask) {
		(void)fprintf(stderr, "belfryctl: cannot reach the server at %s: %s\n", o->socket,
		              strerror(errno));
		return o->help ? EXIT_DONE : EXIT_UNREACHABLE;
	}
	if (ask_call(ask, "commands", NULL, &table)) {
		code = gone(o->socket);
	} else {
		commands = json_object_get(table, "commands");
		if (o->help) {
			list_commands(commands);
			code = EXIT_DONE;
		} else {
			code = run(ask, commands, o);
		}
	}
	json_decref(table);
	ask_close(ask);
	return code;
}

int main(int argc, char **argv)
{
	struct options o = { .socket = SOCKET };

	if (!parse(argc, argv, &o)) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (o.version) {
		(void)printf("belfryctl %s\n", PACKAGE_VERSION);
		return EXIT_DONE;
	}
	if (o.help) {
		usage(stdout);
		(void)fflush(stdout);
		return with_server(&o);
	}
	if (o.words_n == 0) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return with_server(&o);
}
