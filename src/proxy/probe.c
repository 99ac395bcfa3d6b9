/* SPDX-License-Identifier: Apache-2.0 */
/* OPTIONS to the targets of trunks, by one worker for all. */
#include "proxy/core.h"
#include "proxy/trunk.h"

#include <stdlib.h>

#define FIRST_MS 100 /* after the start or a reload */

struct probe {
	struct proxy *p;
	struct trunk_target *target;
};

static void on_answer(void *arg, int err, const struct sip_msg *resp)
{
	struct probe *probe = arg;
	struct trunk_target *t = probe->target;
	int status = resp ? resp->status : err == BELFRY_ETIMEOUT ? 408 : 503;
	bool up = resp && status != 503 && status != 408;

	atomic_store(&t->status, status);
	atomic_store(&t->checked_ms, probe->p->w->clock.now_ms);
	trunk_target_set(t, up, status, "probe");
	free(probe);
}

static void send_probe(struct trunk_conf *tc, struct trunk_target *target)
{
	struct proxy_own_request r = { .method = STR("OPTIONS"),
		                       .uri = str_from(target->uri),
		                       .to_uri = str_from(target->uri) };
	struct probe *probe = malloc(sizeof(*probe));

	if (probe == NULL) {
		return;
	}
	*probe = (struct probe){ .p = tc->p, .target = target };
	if (proxy_send_request(tc->p, &r, on_answer, probe)) {
		on_answer(probe, BELFRY_EUNREACH, NULL);
	}
}

void proxy_probe_timer(struct timer *t, void *arg)
{
	struct trunk_conf *tc = container_of(t, struct trunk_conf, probe);
	struct proxy *p = arg;

	timer_start(p->w->timers, t, p->ids.probe, (uint32_t)tc->conf->probe * 1000);
	for (size_t i = 0; i < tc->conf->targets.n; i++) {
		send_probe(tc, tc->targets[i]);
	}
}

void proxy_probes_start(struct proxy *p)
{
	for (size_t i = 0; p->w->id == 0 && i < p->trunks->n; i++) {
		struct trunk_conf *tc = &p->trunks->v[i];

		if (tc->conf->probe > 0) {
			timer_start(p->w->timers, &tc->probe, p->ids.probe, FIRST_MS);
		}
	}
}
