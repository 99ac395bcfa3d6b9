#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every C file is named in a Makefile.inc, so that it is in the release (headers are easily missed).
# A header that is installed includes only such as are installed too.
# A test program whose only source is the file of its own name is named by the program.
# The Debian package is built with the packages that quickstart installs.
cd "${top_srcdir:-.}" || exit 1
names=$(cat Makefile.am $(find src include modules tests man etc doc -name Makefile.inc) |
	sed 's/^[ \t]*#.*//' | tr ' \t\\' '\n\n\n' | sort -u)
missing=$(find src include modules tests/unit tests/fuzz -name '*.[ch]' -o -name '*.gperf' | sort |
	while read -r file; do
		printf '%s\n' "$names" | grep -qxF -e "$file" ||
			case $file in
			tests/*.c) printf '%s\n' "$names" | grep -qxF -e "${file%.c}" ;;
			*) false ;;
			esac || echo "$file"
	done)
if [ -n "$missing" ]; then
	echo "in no Makefile.inc:"
	echo "$missing"
	exit 1
fi

installed=$(tr ' \t\\' '\n\n\n' <include/Makefile.inc | grep -E '^(src|include)/.*\.h$')
missing=$(sed -n 's/^#include "\(.*\)".*/\1/p' $installed | sort -u | while read -r header; do
	printf '%s\n' "$installed" | grep -qx -e "src/$header" -e "include/$header" || echo "$header"
done)
if [ -n "$missing" ]; then
	echo "included by installed headers, but not installed:"
	echo "$missing"
	exit 1
fi

# What quickstart installs, a package is built with (but for what every Debian builder has).
missing=$(sed -n '/^BUILD_PACKAGES="/,/"/{s/^BUILD_PACKAGES="//;s/".*//;p}' scripts/common.sh |
	tr -s ' \t' '\n' | grep -vx -e gcc -e make -e libc6-dev -e '' | while read -r name; do
	grep -q "^ *\(Build-Depends: \)\?$name\b" debian/control || echo "$name"
done)
if [ -n "$missing" ]; then
	echo "in BUILD_PACKAGES, but not in the Build-Depends of debian/control:"
	echo "$missing"
	exit 1
fi
