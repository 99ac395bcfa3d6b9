/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as a capture file (pcap, LINKTYPE_RAW) for tshark, Wireshark, sngrep. The IP, UDP and
 * TCP headers are made up around each message, with right lengths and checksums. Messages of TCP
 * become segments of one connection per pair of addresses; those of TLS and WebSocket, which would
 * not be readable as such, datagrams.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcap;

struct pcap_message {
	int64_t unix_us;
	const char *source, *destination; /* "192.0.2.1:5060", "[2001:db8::1]:5060" */
	const char *transport;            /* "udp", "tcp", ... */
	const char *data;
	size_t n;
};

/* "-": the standard output. NULL with errno set. */
struct pcap *pcap_open(const char *path);
/* Written at once. false with errno set: it could not be. */
bool pcap_write(struct pcap *p, const struct pcap_message *m);
void pcap_close(struct pcap *p);
