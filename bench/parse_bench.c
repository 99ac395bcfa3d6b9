/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What parsing costs: ns per message for each file named, parsed again and again out of a warm
 * cache with a pool of arenas, as a worker does it. `make bench/parse_bench`, then for example
 *   bench/parse_bench tests/data/flows/pjsip/02-invite.sip
 */
#include "sip/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifndef ROUNDS
#define ROUNDS 300000
#endif
#define BEST_OF 5

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double measure(struct msgbuf *buf, size_t n, struct arena_pool *pool)
{
	double begin = now_ns();

	for (int i = 0; i < ROUNDS; i++) {
		struct sip_msg *msg;

		if (sip_msg_parse(msgbuf_ref(buf), n, 0, pool, NULL, &msg) && msg == NULL) {
			return -1;
		}
		sip_msg_unref(&msg);
	}
	return (now_ns() - begin) / ROUNDS;
}

int main(int argc, char **argv)
{
	struct msgbuf_pool *bufs = msgbuf_pool_new(4);
	struct msgbuf *buf = bufs ? msgbuf_new(bufs, MSGBUF_MAX) : NULL;
	struct arena_pool pool;

	if (buf == NULL) {
		return 1;
	}
	arena_pool_init(&pool, 8);
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		size_t n = f ? fread(buf->data, 1, buf->cap, f) : 0;
		double best = -1;

		if (f) {
			fclose(f);
		}
		for (int k = 0; n && k < BEST_OF; k++) {
			double ns = measure(buf, n, &pool);

			best = best < 0 || ns < best ? ns : best;
		}
		printf("%8.1f ns %6zu bytes  %s\n", best, n, argv[i]);
	}
	arena_pool_fini(&pool);
	msgbuf_unref(&buf, bufs);
	msgbuf_pool_free(bufs);
	return 0;
}
