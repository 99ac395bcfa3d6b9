/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of targets that failed: a property of address, port and transport, never of a name.
 *
 * A failed one is marked for failure_ttl and tried last. When the mark has run out the next request
 * probes it. If that fails it is marked again for twice as long (ten times failure_ttl at most);
 * each success doubles the share of requests that take it in its turn, from an eighth until it is
 * whole again and forgotten. An unknown target is a good one. A success ends a mark early, unless
 * the target itself has asked for the time (503 with Retry-After).
 *
 * One per worker, no lock; the resolver tells the other workers.
 */
#pragma once

#include "dns/resolve.h"
#include "util/random.h"

#define DNS_HEALTH_MAX  4096U /* targets remembered; beyond it the one marked longest ago goes */
#define DNS_BACKOFF_MAX 10U   /* times failure_ttl */
#define DNS_PROBE_MS    32000 /* without an outcome of the probe another one is made */
#define DNS_SHARE_FIRST 1U    /* eighths, after the first success */
#define DNS_SHARE_WHOLE 8U

struct dns_health;

/* NULL: no memory. @key stays. */
struct dns_health *dns_health_new(const struct hash_key *key);
void dns_health_free(struct dns_health *h);

/* Marks it: for @retry_after_s if that is not 0, else for @ttl_s or twice the last time. @ttl_s 0:
 * nothing is remembered. A failure while it is marked changes nothing, unless @retry_after_s asks
 * for longer. true: something has changed. */
bool dns_health_failed(struct dns_health *h, const struct dns_target *t, uint64_t now_ms,
                       uint32_t ttl_s, uint32_t retry_after_s);
/* It has answered. true: something has changed. */
bool dns_health_good(struct dns_health *h, const struct dns_target *t, uint64_t now_ms);
bool dns_health_is_failed(const struct dns_health *h, const struct dns_target *t, uint64_t now_ms);
/* Is it to be put last for this request? May use up the probe that is due. */
bool dns_health_is_last(struct dns_health *h, const struct dns_target *t, uint64_t now_ms,
                        struct random *random);
size_t dns_health_n(const struct dns_health *h);
