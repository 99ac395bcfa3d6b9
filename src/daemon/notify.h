/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager is told (sd_notify(3)); nothing without systemd. Main thread. */
#pragma once

#include <stdint.h>

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* Feeds the watchdog. */
void notify_alive(void);
/* us between two feedings at most; 0: there is no watchdog. */
uint64_t notify_watchdog_us(void);
