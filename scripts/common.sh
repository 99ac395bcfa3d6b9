# SPDX-License-Identifier: Apache-2.0
# Shared by quickstart, check and .ci/run (bash; sourced from the root of the tree).

BUILD_PACKAGES="gcc make autoconf automake libtool pkg-config gperf libc6-dev libevent-dev
	libssl-dev libsqlite3-dev libconfig-dev libunbound-dev nettle-dev libjansson-dev libsystemd-dev
	check" # nettle-dev: libunbound.pc asks for it, libunbound-dev does not bring it
TEST_PACKAGES="python3 python3-pytest sip-tester baresip-core sqlite3 tshark systemd e2fsprogs
	dns-root-data mandoc"
CI_PACKAGES="clang libclang-rt-14-dev libfuzzer-14-dev xz-utils lcov"

# need_packages NAME...: installs by apt what is not there.
need_packages() {
	local name missing="" sudo=""

	if ! command -v dpkg-query >/dev/null; then
		echo "Not a Debian system; these packages are needed:" "$@" >&2
		return 0
	fi
	for name in "$@"; do
		if [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" != installed ]; then
			missing="$missing $name"
		fi
	done
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || {
			echo "Run this as root once, or install:$missing" >&2
			return 1
		}
		sudo=sudo
	fi
	echo "Installing:$missing"
	$sudo apt-get update -q &&
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
			--no-install-recommends $missing
}

# configure_tree FOLDER OPTION...: makes FOLDER a build tree with these options; one that is there
# already is configured anew only if it lacks one of them.
configure_tree() {
	local tree=$1 option
	shift

	if [ ! -x configure ] || [ configure.ac -nt configure ]; then
		autoreconf -i || return 1
	fi
	if [ -f "$tree/Makefile" ]; then
		for option in "$@"; do
			"$tree/config.status" --config | grep -qF -- "$option" || break
			option=
		done
		[ -z "$option" ] && return 0
	fi
	mkdir -p "$tree" && (cd "$tree" && "$OLDPWD/configure" -q "$@")
}

jobs_n() {
	getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

# What sanitizer builds do.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$PWD/tests/lsan.supp:print_suppressions=0}
export TSAN_OPTIONS=${TSAN_OPTIONS:-suppressions=$PWD/tests/tsan.supp:second_deadlock_stack=1}
