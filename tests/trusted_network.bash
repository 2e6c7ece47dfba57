# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# network.bash with a daemon that believes its servers. To be sourced after lib.sh, instead of that.
export SSL_CERT_FILE=$SCRATCH/net/ca.pem
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"
unset SSL_CERT_FILE
