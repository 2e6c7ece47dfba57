# SPDX-License-Identifier: Apache-2.0
"""What is measured, and what it is measured against: both get a command to run."""
BWRAP = "bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --die-with-parent".split()
CODEXOS = ["codexos", "run", "--"]
