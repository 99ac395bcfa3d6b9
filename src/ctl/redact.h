/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials in a message that is shown to people. */
#pragma once

#include <stddef.h>

/*
 * Replaces by as many `x` what proves a password: the digest `response` in Authorization and
 * Proxy-Authorization, `rspauth` in Authentication-Info and Proxy-Authentication-Info, the
 * credentials of every scheme but Digest, passwords in sip URIs, and of session descriptions the keys
 * and passwords (crypto, key-mgmt, ice-pwd, k=). Lengths stay, so Content-Length and offsets do.
 * Any bytes may come; bodies are looked at too (a message/sipfrag may quote such a field).
 */
void ctl_redact(char *p, size_t n);
