/* SPDX-License-Identifier: Apache-2.0 */
/* What the metrics page has that is no counter: how many targets of trunks are in which state. */
#include "daemon/daemon.h"
#include "proxy/proxy.h"

struct targets {
	unsigned up, down, unknown;
};

static void count_target(void *arg, const struct proxy_trunk_info *info)
{
	struct targets *n = arg;

	if (!info->is_known) {
		n->unknown++;
	} else if (info->up) {
		n->up++;
	} else {
		n->down++;
	}
}

static void add_targets(struct metrics_page *page, const char *labels, unsigned n)
{
	metrics_gauge(page, "belfry_trunk_targets",
	              "Targets of trunks by what the last probe or request has shown", labels, n);
}

static void add_gauges(struct metrics_page *page, void *arg)
{
	const struct daemon *d = arg;
	struct targets n = { 0 };

	if (d->proxy_shared) {
		proxy_shared_each_trunk(d->proxy_shared, d->conf, count_target, &n);
	}
	add_targets(page, "state=\"up\"", n.up);
	add_targets(page, "state=\"down\"", n.down);
	add_targets(page, "state=\"unknown\"", n.unknown);
}

struct metrics_source daemon_metrics(struct daemon *d)
{
	return (struct metrics_source){
		.counters = d->counters, .workers = d->workers, .gauges = add_gauges, .arg = d
	};
}
