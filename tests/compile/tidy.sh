#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tidy.sh BUILD FILE...: clang-tidy with the root's .clang-tidy; skipped (status 77) where it is absent or older than 14.
set -euo pipefail

for tool in clang-tidy clang-tidy-14; do
    version=$("$tool" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p') || true
    if [ "${version:-0}" -ge 14 ]; then
        build=$1
        shift
        # the build's own flags are those of another compiler, some of which clang does not know
        exec "$tool" --quiet --extra-arg=-Wno-unknown-warning-option --extra-arg=-Qunused-arguments -p "$build" "$@"
    fi
done
echo "skipped: clang-tidy 14 or later is not installed"
exit 77
