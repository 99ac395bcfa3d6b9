/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit: a bare UDP relay that moves a call's datagrams between caller and callee without looking
 * at them. What it costs is what the kernel takes; a proxy cannot be cheaper.
 *   belfry-relay LISTEN_IP:PORT CALLEE_IP:PORT
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <poll.h>

#define BATCH 64

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	char ip[64];
	unsigned port = 0;

	if (sscanf(text, "%63[0-9.]:%u", ip, &port) != 2 || inet_pton(AF_INET, ip, &a.sin_addr) != 1) {
		fprintf(stderr, "belfry-relay: %s is not IP:PORT\n", text);
		exit(64);
	}
	a.sin_port = htons((uint16_t)port);
	return a;
}

int main(int argc, char **argv)
{
	static char data[BATCH][4096];
	struct mmsghdr in[BATCH] = { 0 };
	struct sockaddr_in from[BATCH], caller = { 0 }, callee;
	struct iovec iov[BATCH];

	if (argc != 3) {
		fputs("usage: belfry-relay LISTEN_IP:PORT CALLEE_IP:PORT\n", stderr);
		return 64;
	}
	struct sockaddr_in local = address(argv[1]);
	callee = address(argv[2]);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 8 << 20;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0) {
		perror("belfry-relay");
		return 2;
	}
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		poll(&p, 1, -1);
		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ data[i], sizeof(data[i]) };
			in[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &iov[i],
							 .msg_iovlen = 1 };
		}
		int n = recvmmsg(fd, in, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			iov[i].iov_len = in[i].msg_len;
			if (memcmp(&from[i].sin_addr, &callee.sin_addr, 4) == 0 && from[i].sin_port == callee.sin_port) {
				from[i] = caller;
			} else {
				caller = from[i];
				from[i] = callee;
			}
		}
		for (int done = 0; done < n;) {
			int k = sendmmsg(fd, in + done, (unsigned)(n - done), 0);

			done += k > 0 ? k : 1;
		}
	}
}
