/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "daemon/daemon.h"
#include "util/log.h"

int config_load(const struct options *o, struct module_loader *loader, struct conf **conf_r,
                char **error_r)
{
	return conf_load(o->file, o->overrides, o->overrides_n, module_conf_info, loader, conf_r,
	                 error_r);
}

/* log.target: 0 auto, 1 stderr, 2 journal, 3 syslog. */
static enum log_target target_of(const struct options *o, const struct conf *conf)
{
	switch (conf->log.target) {
	case 1: return LOG_TO_STDERR;
	case 2: return LOG_TO_JOURNAL;
	case 3: return LOG_TO_SYSLOG;
	default: break;
	}
	if (o->foreground) {
		return LOG_TO_STDERR;
	}
	return getenv("JOURNAL_STREAM") && log_has_journal() ? LOG_TO_JOURNAL : LOG_TO_SYSLOG;
}

void config_setup_log(const struct options *o, const struct conf *conf)
{
	log_setup(target_of(o, conf), (enum log_format)conf->log.format,
	          (enum log_level)conf->log.level);
}

void config_warn(const struct conf *conf)
{
	for (size_t i = 0; i < conf->warnings_n; i++) {
		log_warning("conf.warning", LOG_S("text", conf->warnings[i]));
	}
}
