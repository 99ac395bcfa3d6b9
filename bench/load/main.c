/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

static const char *const MODES[MODE_N] = { "register", "refresh", "digest", "invite", "message", "options" };

static void usage(void)
{
	fputs("usage: belfry-load -m MODE -s IP:PORT [options]\n"
	      "  -m  register | refresh | digest | invite | message | options\n"
	      "  -t udp|tcp        -c N   TCP: connections of the caller (100)\n"
	      "  -d DOMAIN         of the addresses-of-record u000000 .. (bench.test)\n"
	      "  -u USERS  -f FIRST       how many of them, from which (1000, 0)\n"
	      "  -n COUNT          transactions or calls (register: USERS, else 10000)\n"
	      "  -D SECONDS        start no more after that long\n"
	      "  -w WINDOW         closed loop: in flight (100)\n"
	      "  -r RATE           open loop: started per second\n"
	      "  -a IP:PORT        the caller (127.0.0.1:16060)   -b IP:PORT  the callee, also the Contact (127.0.0.1:16070)\n"
	      "  -e SECONDS        Expires (3600)     -T MS  T1 (500)\n"
	      "Prints one JSON object. Users' passwords are pw-uNNNNNN.\n",
	      stderr);
	exit(64);
}

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	char ip[64];
	unsigned port = 0;

	if (sscanf(text, "%63[0-9.]:%u", ip, &port) != 2 || inet_pton(AF_INET, ip, &a.sin_addr) != 1) {
		fprintf(stderr, "belfry-load: %s is not IP:PORT\n", text);
		exit(64);
	}
	a.sin_port = htons((uint16_t)port);
	return a;
}

static enum mode mode_of(const char *name)
{
	for (int i = 0; i < MODE_N; i++) {
		if (strcmp(name, MODES[i]) == 0) {
			return (enum mode)i;
		}
	}
	usage();
	return MODE_N;
}

static struct options parse(int argc, char **argv)
{
	struct options o = { .mode = MODE_N, .connections = 100, .users = 1000, .window = 100, .expires_s = 3600, .t1_ms = 500,
			     .domain = "bench.test", .uac = address("127.0.0.1:16060"), .uas = address("127.0.0.1:16070") };
	int c;

	while ((c = getopt(argc, argv, "m:s:t:c:d:u:f:n:D:w:r:a:b:e:T:h")) != -1) {
		unsigned long v = optarg ? strtoul(optarg, NULL, 10) : 0;

		switch (c) {
		case 'm': o.mode = mode_of(optarg); break;
		case 's': o.server = address(optarg); break;
		case 't': o.tcp = strcmp(optarg, "tcp") == 0; break;
		case 'c': o.connections = (unsigned)v; break;
		case 'd': o.domain = optarg; break;
		case 'u': o.users = (unsigned)v; break;
		case 'f': o.first = (unsigned)v; break;
		case 'n': o.count = (unsigned)v; break;
		case 'D': o.seconds = (unsigned)v; break;
		case 'w': o.window = (unsigned)v; break;
		case 'r': o.rate = (unsigned)v; break;
		case 'a': o.uac = address(optarg); break;
		case 'b': o.uas = address(optarg); break;
		case 'e': o.expires_s = (unsigned)v; break;
		case 'T': o.t1_ms = (unsigned)v; break;
		default: usage();
		}
	}
	if (o.mode == MODE_N || !o.server.sin_port || !o.users || !o.window || !o.connections) {
		usage();
	}
	if (!o.count) {
		o.count = o.mode == MODE_REGISTER ? o.users : o.rate && o.seconds ? o.rate * o.seconds : 10000;
	}
	return o;
}

/* How many to start now. */
static unsigned wanted(const struct options *o, const struct uac_counts *n, uint64_t elapsed_us)
{
	uint64_t left = o->count - n->started;

	if (o->seconds && elapsed_us >= (uint64_t)o->seconds * 1000000) {
		return 0;
	}
	uint64_t want = o->rate ? elapsed_us * o->rate / 1000000 + 1 - n->started : o->window - n->in_flight;
	if (o->rate && elapsed_us * o->rate / 1000000 + 1 < n->started) {
		want = 0;
	}
	return (unsigned)(want < left ? want : left);
}

static void run(const struct options *o, int epoll, struct uac *u, struct wire *uac_wire, struct wire *uas_wire)
{
	const struct uac_counts *n = uac_counts(u);
	uint64_t start = now_us();
	struct epoll_event events[64];

	for (;;) {
		uint64_t now = now_us();
		unsigned k = wanted(o, n, now - start);

		for (; k > 0; k--) {
			uac_start(u, now);
		}
		uac_timers(u, now);
		wire_flush(uac_wire);
		wire_flush(uas_wire);
		bool more = n->started < o->count && (!o->seconds || now - start < (uint64_t)o->seconds * 1000000);
		if (!more && n->in_flight == 0) {
			return;
		}
		if (o->tcp && now - start > ((uint64_t)o->seconds + 120) * 1000000 && !more) {
			return;
		}
		int got = epoll_wait(epoll, events, 64, o->rate ? 1 : 20);
		for (int i = 0; i < got; i++) {
			wire_event(events[i].data.ptr);
		}
	}
}

static void print_hist(const char *name, const struct hist *h)
{
	printf(", \"%s\": {\"p50\": %llu, \"p90\": %llu, \"p99\": %llu, \"p999\": %llu, \"max\": %llu}", name,
	       (unsigned long long)hist_percentile(h, 0.5), (unsigned long long)hist_percentile(h, 0.9),
	       (unsigned long long)hist_percentile(h, 0.99), (unsigned long long)hist_percentile(h, 0.999),
	       (unsigned long long)h->max);
}

static void print(const struct options *o, struct uac *u, const struct uas *uas, double seconds)
{
	const struct uac_counts *n = uac_counts(u);
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	double cpu = (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
	printf("{\"mode\": \"%s\", \"transport\": \"%s\", \"started\": %llu, \"ok\": %llu, \"failed\": %llu, \"timeouts\": %llu, "
	       "\"retransmissions\": %llu, \"mismatch\": %llu, \"uas_invites\": %llu, \"uas_acks\": %llu, \"seconds\": %.3f, "
	       "\"rate\": %.0f, \"load_cpu_s\": %.3f",
	       MODES[o->mode], o->tcp ? "tcp" : "udp", (unsigned long long)n->started, (unsigned long long)n->ok,
	       (unsigned long long)(n->started - n->ok), (unsigned long long)n->timeouts, (unsigned long long)n->retransmissions,
	       (unsigned long long)n->mismatch, (unsigned long long)uas->invites, (unsigned long long)uas->acks, seconds,
	       (double)n->ok / seconds, cpu);
	print_hist("latency_us", uac_latency(u));
	print_hist("setup_us", uac_setup(u));
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	int epoll = epoll_create1(0);
	struct uas uas = { .o = &o };
	struct wire *uas_wire = wire_new(epoll, o.tcp, &o.uas, true, uas_receive, &uas);
	struct uac *u = uac_new(&o);
	struct wire *uac_wire = wire_new(epoll, o.tcp, &o.uac, false, uac_receive, u);

	uac_set_wire(u, uac_wire);
	if (o.tcp) {
		wire_connect(uac_wire, &o.server, o.connections);
	}
	uint64_t start = now_us();
	run(&o, epoll, u, uac_wire, uas_wire);
	print(&o, u, &uas, (double)(now_us() - start) / 1e6);
	bool clean = uac_counts(u)->ok == uac_counts(u)->started;
	wire_free(uac_wire);
	wire_free(uas_wire);
	uac_free(u);
	return clean ? 0 : 1;
}
