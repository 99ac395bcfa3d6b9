/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/json.h"

#include <stdlib.h>

#include "sip/uri.h"

json_t *ctl_json_str(struct str s)
{
	json_t *v = json_stringn(s.p ? s.p : "", s.n);
	char *copy;

	if (v) {
		return v;
	}
	copy = str_dup(s);
	for (size_t i = 0; copy && i < s.n; i++) {
		copy[i] = (unsigned char)copy[i] < 0x80 ? copy[i] : '?';
	}
	v = copy ? json_stringn(copy, s.n) : NULL;
	free(copy);
	return v;
}

json_t *ctl_json_uri(struct str s)
{
	char *copy = str_dup(s);
	json_t *v;

	if (!copy) {
		return NULL;
	}
	sip_mask_passwords(copy, s.n);
	v = ctl_json_str(str_make(copy, s.n));
	free(copy);
	return v;
}

bool ctl_json_set(json_t *obj, const char *key, json_t *v)
{
	return v && json_object_set_new(obj, key, v) == 0;
}
