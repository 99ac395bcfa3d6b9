/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "module/loader.h"
#include "util/log.h"

#define DEFAULT_FILE BELFRY_SYSCONFDIR "/belfry.conf"

static void usage(FILE *out)
{
	(void)fputs("usage: belfryd [-c FILE] [-f] [-t] [-D KEY=VALUE]... [-V] [-h]\n"
	            "  -c FILE       configuration (default " DEFAULT_FILE ")\n"
	            "  -f            foreground: log to stderr when log.target is \"auto\"\n"
	            "  -t            check the configuration and exit\n"
	            "  -D KEY=VALUE  override one setting, as in server.workers=1\n"
	            "  -V            version and what is built in\n"
	            "  -h            this text\n",
	            out);
}

static void version(void)
{
	static const char *const transports[] = { "udp", "tcp", "tls", "ws", "wss" };
	char folder[PATH_MAX];

	(void)printf("belfryd %s\ntransports:", PACKAGE_VERSION);
	for (int i = CONF_UDP; i <= CONF_WSS; i++) {
		if (conf_transport_is_built(i)) {
			(void)printf(" %s", transports[i]);
		}
	}
	module_default_folder(folder);
	(void)printf("\njournal and watchdog: %s\nmodules in: %s\n",
	             log_has_journal() ? "yes" : "no", folder);
}

int options_parse(int argc, char **argv, struct options *o_r)
{
	int c;

	*o_r = (struct options){ .file = DEFAULT_FILE };
	o_r->overrides = calloc((size_t)argc, sizeof(*o_r->overrides));
	if (!o_r->overrides) {
		(void)fputs("belfryd: out of memory\n", stderr);
		return EXIT_SYSTEM;
	}
	while ((c = getopt(argc, argv, "c:ftD:Vh")) != -1) {
		switch (c) {
		case 'c': o_r->file = optarg; break;
		case 'f': o_r->foreground = true; break;
		case 't': o_r->test = true; break;
		case 'D':
			if (!strchr(optarg, '=')) {
				(void)fprintf(stderr,
				              "belfryd: -D %s: KEY=VALUE is wanted, as in "
				              "server.workers=1\n",
				              optarg);
				usage(stderr);
				return EXIT_USAGE;
			}
			o_r->overrides[o_r->overrides_n++] = optarg;
			break;
		case 'V': version(); return EXIT_FINE;
		case 'h': usage(stdout); return EXIT_FINE;
		default: usage(stderr); return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "belfryd: \"%s\" is one word too many\n", argv[optind]);
		usage(stderr);
		return EXIT_USAGE;
	}
	return -1;
}

void options_fini(struct options *o)
{
	free(o->overrides);
	o->overrides = NULL;
}
