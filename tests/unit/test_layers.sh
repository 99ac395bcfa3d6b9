#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Includes go down the layers, never up; a module sees belfry/module.h, sip/, util/ and its own
# headers. First against a small tree that breaks each rule once, then against ours.

# violations TREE: one line each.
violations() {
	(cd "$1" && find src modules include -name '*.[ch]' | sort | while read -r file; do
		sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$file" |
			sed "s|^|$file |"
	done) | awk '
	BEGIN {
		n = split("util,sip,conf worker net dns,transport,transaction," \
			  "store location subscriber,proxy,module ctl metrics,daemon client", row, ",")
		for (i = 1; i <= n; i++) {
			m = split(row[i], name, " ")
			for (j = 1; j <= m; j++) {
				rank[name[j]] = i
			}
		}
		rank["belfry"] = rank["proxy"] # the contract of modules, told by proxy and module
	}
	{
		split($1, path, "/")
		split($2, inc, "/")
		if ($2 ~ /\.\./) {
			print $1 ": not from the root: " $2
		} else if (path[1] == "modules") {
			if (inc[1] != "util" && inc[1] != "sip" && inc[1] != path[2] &&
			    $2 != "belfry/module.h") {
				print $1 ": not for a module: " $2
			}
		} else if (path[1] == "include") {
			if (inc[1] != "util" && inc[1] != "sip") {
				print $1 ": not for the contract of modules: " $2
			}
		} else if ($2 == "config.h") {
			print $1 ": comes from the command line: " $2
		} else if (inc[1] in rank && path[2] in rank) {
			if (rank[inc[1]] > rank[path[2]]) {
				print $1 ": up the layers: " $2
			}
		} else if ($2 ~ /\// ) {
			print $1 ": of no layer: " $2
		}
	}'
}

sample() {
	mkdir -p "$1/src/util" "$1/src/sip" "$1/src/net" "$1/modules/auth" "$1/include/belfry"
	echo '#include "sip/uri.h"' >"$1/src/util/up.c"
	echo '#include "proxy/hooks.h"' >"$1/src/net/up.h"
	printf '#include "net/own.h"\n#include "worker/beside.h"\n#include "util/down.h"\n' \
		>"$1/src/net/fine.c"
	echo '#include "../net/addr.h"' >"$1/src/sip/dots.c"
	echo '#include "nowhere/x.h"' >"$1/src/sip/nowhere.c"
	printf '#include "belfry/module.h"\n#include "auth/own.h"\n#include "sip/uri.h"\n' \
		>"$1/modules/auth/fine.c"
	echo '#include "proxy/proxy.h"' >"$1/modules/auth/inside.c"
	echo '#include "net/addr.h"' >"$1/include/belfry/module.h"
}

tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
sample "$tree"
found=$(violations "$tree" | cut -d: -f1 | tr '\n' ' ')
want="include/belfry/module.h modules/auth/inside.c src/net/up.h src/sip/dots.c"
want="$want src/sip/nowhere.c src/util/up.c "
if [ "$found" != "$want" ]; then
	echo "in the sample: found $found, not $want"
	exit 1
fi

found=$(violations "${top_srcdir:-.}")
if [ -n "$found" ]; then
	echo "$found"
	exit 1
fi
