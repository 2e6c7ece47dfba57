#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian 12 or Ubuntu 22.04 machine (or newer) to an installed CodexOS and a first task:
#   ./setup.sh                 packages, build, install, a first task
#   ./setup.sh test [--long]   packages for the tests, build, every test; ends with "N passed, N failed"
#   ./setup.sh uninstall       unapplied changes are listed first, then all that was installed goes
# Safe to repeat: what is already there is not done again. Packages come from apt alone; nothing else
# is downloaded. What each package is for stands in the tables below, and nowhere else.
set -euo pipefail
umask 022

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly here
readonly system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH="${PATH:-$system_path}"
case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH="$PATH:/usr/sbin:/sbin" ;; esac

# package | what shows that it is there (a command, or a file below /usr) | MiB with what it pulls in | what for
readonly build_packages='
g++|g++|230|the compiler
cmake|cmake|95|the build
ninja-build|ninja|1|the build
pkg-config|pkg-config|1|finds the libraries
libcli11-dev|include/CLI/CLI.hpp|1|reads the command line
libsqlite3-dev|include/sqlite3.h|4|the state
libfmt-dev|include/fmt/format.h|1|text
libseccomp-dev|include/seccomp.h|1|compiles the syscall filter
libnftnl-dev|include/libnftnl/rule.h|1|redirects what a task sends
libmnl-dev|include/libmnl/libmnl.h|1|speaks to the kernel about networks
libc-ares-dev|include/ares.h|1|resolves names
libcurl4-openssl-dev|curl-config|2|speaks to model providers
libidn2-dev|include/idn2.h|2|host names that are not ASCII
zlib1g-dev|include/zlib.h|1|reads git objects
libzstd-dev|include/zstd.h|2|reads what agents ask in that coding
nlohmann-json3-dev|include/nlohmann/json.hpp|2|JSON
libboost-dev|include/boost/beast/http.hpp|150|parses HTTP
libgit2-dev|include/git2.h|12|reads git settings as git does; text diff and merge
libssl-dev|include/openssl/evp.h|15|hashes content, reads TLS greetings
libyaml-cpp-dev|include/yaml-cpp/yaml.h|2|reads policies and agents
'
# Without one of these `test` cannot say anything useful.
readonly test_packages='
doctest-dev|include/doctest/doctest.h|1|unit tests
python3|python3|30|fixtures: terminals, servers, clients
jq|jq|1|reads the JSON of the tests
curl|curl|2|speaks to the API
git|git|40|workspaces
procps|ps|1|looks for leftovers
'
# Without one of these single tests are skipped, and say so.
readonly wanted_packages='
clang|clang++|250|the second compiler
clang-format|clang-format|60|the format of the sources
clang-tidy|clang-tidy|150|static checks
shellcheck|shellcheck|40|checks the scripts
mandoc|mandoc|2|checks the manual pages
bubblewrap|bwrap|1|the benchmark measures against it; runs inside a nested task
strace|strace|3|runs inside a task; records what is said to the daemon, and breaks its calls
gdb|gdb|60|runs inside a task
make|make|1|runs inside a task
nodejs|node|60|runs inside a task
npm|npm|60|runs inside a task
zsh|zsh|15|its completion
fish|fish|20|its completion
tmux|tmux|2|a terminal that people use
less|less|1|takes the whole of that terminal
zstd|zstd|2|reads what codex sends to a model of the tests
busybox-static|busybox|2|a static program inside a task
musl-tools|musl-gcc|3|a musl program inside a task
python3-jsonschema|lib/python3/dist-packages/jsonschema/__init__.py|2|what is printed against the schemas
python3-asyncssh|lib/python3/dist-packages/asyncssh/__init__.py|10|git over ssh from inside a task
'
# The same, and big: only with --long or --all-packages.
readonly big_packages='
golang-go|go|420|a Go program inside a task
rustc|rustc|300|a Rust program inside a task
default-jdk-headless|javac|300|a Java program inside a task
chromium|chromium|330|a browser inside a nested task
'

die() { printf 'error: %s\n' "$1" >&2; [ $# -lt 3 ] || printf 'hint: %s\n' "$3" >&2; exit "${2:-1}"; }
say() { printf '%s\n' "$*"; }
is_root() { [ "$(id -u)" = 0 ]; }
on_terminal() { [ -t 0 ] && [ -t 2 ]; }

usage() {
  cat <<'EOF'
usage: ./setup.sh [-y] [--prefix DIR] [--no-demo]     build, install, run a first task
       ./setup.sh test [--long] [--all-packages] [-j N] [PATTERN...]
       ./setup.sh uninstall [-y] [--prefix DIR]
       ./setup.sh sbom                               the packages that go into the programs, as CycloneDX JSON
       ./setup.sh coverage [-j N] [PATTERN...]       which lines the tests run (build/coverage)

  -y, --yes        ask nothing
  --prefix DIR     where to install (default: ~/.local, as root /usr/local)
  --no-demo        install only
  --long           also the tests that take minutes
  --all-packages   also install Go, Rust, Java and Chromium, which a few tests run
EOF
}

# Asks on the terminal; without one, or with -y, the answer is yes.
agreed() {
  [ "$yes" = 0 ] && on_terminal || return 0
  local answer
  read -r -p "$1 [Y/n] " answer
  case "$answer" in '' | [yY]*) return 0 ;; *) return 1 ;; esac
}

present() {
  case "$1" in
    */*) [ -e "/usr/$1" ] || [ -e "/usr/local/$1" ] ;;
    *) PATH=$system_path command -v "$1" >/dev/null 2>&1 ;;
  esac
}

# Prints "package MiB" of each row of the tables given whose mark is not there.
missing_of() {
  local package mark mib _
  printf '%s\n' "$@" | while IFS='|' read -r package mark mib _; do
    [ -z "$package" ] || present "$mark" || printf '%s %s\n' "$package" "$mib"
  done
}

# Runs apt-get as root: as it is, or by sudo, which asks once on a terminal and never without.
as_root() {
  if is_root; then "$@"; elif on_terminal; then sudo "$@"; else sudo -n "$@"; fi
}
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"
}

# install_packages MUST WANTED: each a list of "package MiB" lines. A wanted one that apt does not
# have is left out with a word; a must that cannot be had ends the script.
install_packages() {
  local must wanted line mib
  must=$(printf '%s\n' "$1" | awk 'NF { print $1 }' | xargs)
  wanted=$(printf '%s\n' "$2" | awk 'NF { print $1 }' | xargs)
  mib=$(printf '%s\n%s\n' "$1" "$2" | awk '{ n += $2 } END { print n + 0 }')
  [ -n "$must$wanted" ] || return 0
  say "packages: ${must}${must:+ }${wanted}"
  say "          about $mib MiB on disk, $((mib / 150 + 1)) minutes on an ordinary line"
  line="apt-get install --no-install-recommends ${must}${must:+ }${wanted}"
  command -v apt-get >/dev/null || die "install packages: there is no apt-get here" 2 "install these yourself: $must"
  if ! is_root; then
    command -v sudo >/dev/null || die "install packages: not root, and there is no sudo" 2 "as root: $line"
    if on_terminal; then
      agreed "install them with sudo?" || die "install packages: you said no" 2 "sudo $line"
    else
      sudo -n true 2>/dev/null || die "install packages: sudo wants a password and there is no terminal" 2 "sudo $line"
    fi
  fi
  apt update || say "note: apt-get update failed; trying with the lists that are there" >&2
  if [ -n "$must" ]; then
    # shellcheck disable=SC2086  # a list of package names
    apt install --no-install-recommends -y $must >/dev/null || die "install packages: apt-get failed" 1 "try: $line"
  fi
  local package
  # shellcheck disable=SC2086
  if [ -n "$wanted" ] && ! apt install --no-install-recommends -y $wanted >/dev/null 2>&1; then
    for package in $wanted; do
      apt install --no-install-recommends -y "$package" >/dev/null 2>&1 ||
        say "note: package $package cannot be had here; the tests that want it are skipped" >&2
    done
  fi
}

# The build folder: in the tree, or in the cache folder when the tree is not ours to write.
build_folder() {
  if [ -n "${CODEXOS_BUILD:-}" ]; then printf '%s' "$CODEXOS_BUILD"
  elif [ -w "$here" ]; then printf '%s/build/release' "$here"
  else printf '%s/codexos/build-%s' "${XDG_CACHE_HOME:-$HOME/.cache}" "$(printf '%s' "$here" | cksum | cut -d' ' -f1)"
  fi
}

# build TARGET...: Release; what the compiler says is shown only when it fails.
build() {
  local dir log
  dir=$(build_folder)
  mkdir -p "$dir"
  log="$dir/setup.log"
  [ -e "$dir/bin/codexosd" ] || say "build: Release, in $dir; 4 to 7 minutes once on two processors"
  if [ ! -e "$dir/build.ninja" ]; then
    # Several sources a compiler run: a whole build takes a third of the time.
    cmake -S "$here" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON >"$log" 2>&1 ||
      { tail -n 40 "$log" >&2; die "configure the build: cmake failed" 1 "the whole log: $log"; }
  fi
  if on_terminal && [ -t 1 ]; then
    NINJA_STATUS='build: [%f/%t] ' ninja -C "$dir" "$@" || die "build: a step failed"
  else
    ninja -C "$dir" "$@" >"$log" 2>&1 || { tail -n 60 "$log" >&2; die "build: a step failed" 1 "the whole log: $log"; }
  fi
}

# Ubuntu 23.10 and later let only programs with an AppArmor profile make user namespaces. The program
# of the profile must be root's, or any program could put itself in its place.
readonly apparmor_switch=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
apparmor_in_the_way() {
  ! is_root && [ "$(cat "$apparmor_switch" 2>/dev/null)" = 1 ]
}
readonly apparmor_profile=/etc/apparmor.d/codexos-exec
readonly apparmor_exec=/usr/local/libexec/codexos/codexos-exec
allow_by_apparmor() {
  local mine="$prefix/libexec/codexos/codexos-exec"
  if [ ! -e "$apparmor_profile" ] || ! cmp -s "$mine" "$apparmor_exec"; then
    say "This system lets only programs with an AppArmor profile make user namespaces, which tasks need."
    agreed "install $apparmor_exec (root's) with the profile $apparmor_profile?" ||
      { say "note: without it every task is refused" >&2; return 0; }
    if ! as_root install -D -o root -g root -m 755 "$mine" "$apparmor_exec" ||
      ! as_root tee "$apparmor_profile" >/dev/null <<EOF
# CodexOS: the helper that builds a task's sandbox may make user namespaces. Made by setup.sh.
abi <abi/4.0>,
include <tunables/global>
profile codexos-exec $apparmor_exec flags=(unconfined) {
  userns,
}
EOF
    then
      die "install the AppArmor profile: root's rights were refused" 2 "run ./setup.sh on a terminal, or as root"
    fi
    as_root apparmor_parser -r "$apparmor_profile" || die "load the AppArmor profile $apparmor_profile"
  fi
  ln -sfn "$apparmor_exec" "$mine"
}

manifest_of() { printf '%s/share/codexos/installed' "$1"; }

install_files() {
  local dir log
  dir=$(build_folder)
  log="$dir/install.log"
  mkdir -p "$prefix" 2>/dev/null || true
  [ -w "$prefix" ] || die "install to $prefix: not ours to write" 2 "--prefix DIR names another folder"
  [ ! -L "$prefix/libexec/codexos/codexos-exec" ] || rm -f "$prefix/libexec/codexos/codexos-exec"
  cmake --install "$dir" --prefix "$prefix" >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "install to $prefix"; }
  mkdir -p "$(dirname "$(manifest_of "$prefix")")"
  cat "$dir/install_manifest.txt" >"$(manifest_of "$prefix")"
  ! apparmor_in_the_way || allow_by_apparmor
}

# The state folder: the same function of uid and CODEXOS_HOME as core/os/place (cli contract).
state_folder() {
  if [ -n "${CODEXOS_HOME:-}" ]; then printf '%s' "$CODEXOS_HOME"
  elif is_root; then printf /var/lib/codexos
  else
    local home
    home=$(awk -F: -v uid="$(id -u)" '$3 == uid { print $6; exit }' /etc/passwd)
    printf '%s/.local/state/codexos' "${home:-$HOME}"
  fi
}

# A first task that shows the point: what a program changes is held back, what it has no business
# with is not there.
demo() {
  local codexos="$prefix/bin/codexos" was_running folder started ended
  was_running=$("$codexos" --json daemon status 2>/dev/null | grep -c '"running": *true' || true)
  folder=$(mktemp -d "${TMPDIR:-/var/tmp}/codexos-demo.XXXXXX")
  # shellcheck disable=SC2064  # the folder of this call
  trap "rm -rf '$folder'" EXIT
  printf 'buy milk\n' >"$folder/notes.txt"
  cat >"$folder/program" <<'EOF'
echo 'buy champagne' >notes.txt && echo "  it edits notes.txt:     done"
echo "  it looks into ~/.ssh:   $(ls ~/.ssh 2>&1 | sed 's/^ls: //' | head -n 1)"
echo "  it calls 192.0.2.1:443: $( (exec 3<>/dev/tcp/192.0.2.1/443) 2>&1 | sed -n '1s/.*: //p')"
EOF
  started=$(date +%s%N)
  say "A first task: codexos run -- bash program"
  if ! (cd "$folder" && "$codexos" run --name setup-demo --mode overlay -- bash program 2>.note); then
    cat "$folder/.note" >&2
    die "run the first task" 1 "codexos doctor tells what this machine lacks"
  fi
  (cd "$folder" && "$codexos" run --plan-only -- bash program 2>/dev/null) | grep -E '^(network|.*~/\.ssh)' | head -n 3 | sed 's/^ */  plan: /' || true
  say "What it changed is held back: codexos diff"
  (cd "$folder" && "$codexos" diff setup-demo) | grep '^[-+][a-z]' | sed 's/^/  /'
  say "  and notes.txt still says: $(cat "$folder/notes.txt")"
  (cd "$folder" && "$codexos" -q apply setup-demo >/dev/null) || die "apply the first task's changes" 1 ""
  say "  after codexos apply:      $(cat "$folder/notes.txt")"
  (cd "$folder" && "$codexos" -q undo setup-demo >/dev/null) || die "undo that" 1 ""
  say "  after codexos undo:       $(cat "$folder/notes.txt")"
  "$codexos" -q rm -f setup-demo >/dev/null 2>&1 || true
  ended=$(date +%s%N)
  [ "$was_running" != 0 ] || "$codexos" daemon stop >/dev/null 2>&1 || true
  say "Took $(((ended - started) / 1000000)) ms. Next: codexos run -- COMMAND, codexos --help, man codexos"
}

do_setup() {
  install_packages "$(missing_of "$build_packages")" ''
  build codexos codexosd codexos-exec
  install_files
  say "installed: $prefix/bin/codexos"
  case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) say "note: $prefix/bin is not on PATH; add it: export PATH=\"$prefix/bin:\$PATH\"" ;;
  esac
  [ "$show" = 0 ] || demo
}

do_test() {
  local wanted="$wanted_packages"
  [ "$all_packages" = 0 ] || wanted="$wanted$big_packages"
  install_packages "$(missing_of "$build_packages" "$test_packages")" "$(missing_of "$wanted")"
  build
  local dir
  dir=$(build_folder)
  CODEXOS_BIN="$dir/bin" exec "$here/tests/run" "${test_options[@]}"
}

do_uninstall() {
  local manifest state codexos="$prefix/bin/codexos" waiting='' file
  manifest=$(manifest_of "$prefix")
  state=$(state_folder)
  if [ ! -e "$manifest" ] && [ ! -d "$state" ]; then
    say "nothing is installed below $prefix"
    return 0
  fi
  if [ -x "$codexos" ] && [ -d "$state" ]; then
    waiting=$("$codexos" ps 2>/dev/null) || waiting=
    if [ -n "$("$codexos" -q ps 2>/dev/null || true)" ]; then
      say "These tasks run, or hold changes that were not applied; both will be gone:"
      printf '%s\n' "$waiting" | sed 's/^/  /'
    fi
  fi
  say "This removes CodexOS from $prefix, and its state in $state."
  agreed "go on?" || { say "nothing was removed"; return 1; }
  if [ -x "$codexos" ] && [ -d "$state" ]; then
    "$codexos" -q ps 2>/dev/null | while read -r file; do "$codexos" -q rm -f "$file" >/dev/null 2>&1 || true; done
    "$codexos" daemon stop >/dev/null 2>&1 || true
  fi
  case "$state" in
    / | "$HOME" | "$HOME"/) die "remove the state folder $state: it is not one" ;;
  esac
  if [ -d "$state" ]; then
    chmod -R u+rwX "$state" 2>/dev/null || true  # an overlay's work folder has mode 000
    rm -rf "$state" || die "remove the state folder $state"
  fi
  if [ -e "$manifest" ]; then
    while read -r file; do rm -f "$file"; done < <(cat "$manifest"; echo)
    rm -f "$manifest"
    rmdir "$prefix/share/codexos" "$prefix/libexec/codexos" "$prefix/libexec" 2>/dev/null || true
  fi
  if ! is_root && [ -e "$apparmor_profile" ] && grep -q setup.sh "$apparmor_profile"; then
    as_root rm -f "$apparmor_profile" "$apparmor_exec" || say "note: $apparmor_profile and $apparmor_exec are root's and stay" >&2
  fi
  say "removed"
}

# What is linked or compiled in, by the versions that are installed (https://cyclonedx.org, 1.5).
do_sbom() {
  local package mark why version
  local -a components=()
  # shellcheck source=/dev/null
  . /etc/os-release
  while IFS='|' read -r package mark _ why; do
    case "$mark" in include/*) ;; *) continue ;; esac
    version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null) || die "$package is not installed: ./setup.sh first"
    components+=("$(jq -n --arg name "$package" --arg version "$version" --arg why "$why" --arg id "$ID" --arg release "$VERSION_ID" \
      '{type: "library", name: $name, version: $version, description: $why,
        purl: "pkg:deb/\($id)/\($name)@\($version | @uri)?distro=\($id)-\($release)"}')")
  done <<<"$build_packages"
  printf '%s\n' "${components[@]}" | jq -s --arg version "$(sed -n 's/^project(.*VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)" \
    '{bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
      metadata: {component: {type: "application", name: "codexos", version: $version, licenses: [{license: {id: "Apache-2.0"}}]}},
      components: .}'
}

# A build of its own, the tests on it, and a report of the lines that they ran.
do_coverage() {
  command -v gcovr >/dev/null || die 'gcovr is not installed' 2 'apt-get install gcovr'
  local dir=$PWD/build/coverage failed=0
  cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCODEXOS_COVERAGE=ON >/dev/null
  ninja -C "$dir"
  find "$dir" -name '*.gcda' -delete
  [ "${#test_options[@]}" -gt 0 ] || test_options=(unit integration security)
  CODEXOS_BIN="$dir/bin" tests/run "${test_options[@]}" || failed=1
  gcovr --root . --object-directory "$dir" --exclude tests/ --exclude build/ --xml "$dir/coverage.xml" --html "$dir/coverage.html" --print-summary
  return "$failed"
}

verb=setup yes=0 show=1 prefix='' all_packages=0
test_options=()
case "${1:-}" in test | uninstall | sbom | coverage) verb=$1; shift ;; esac
while [ $# -gt 0 ]; do
  case "$verb:$1" in
    *:-h | *:--help) usage; exit 0 ;;
    *:-y | *:--yes) yes=1 ;;
    setup:--no-demo) show=0 ;;
    setup:--prefix | uninstall:--prefix) prefix=${2:?--prefix wants a folder}; shift ;;
    test:--all-packages) all_packages=1 ;;
    test:--long) all_packages=1; test_options+=(--long) ;;
    test:* | coverage:*) test_options+=("$1") ;;
    *) usage >&2; die "$1: not an option of setup.sh $verb" 2 ;;
  esac
  shift
done
if [ -z "$prefix" ]; then
  if is_root; then prefix=/usr/local; else prefix="${HOME:?HOME is not set}/.local"; fi
fi
case "$prefix" in /*) ;; *) prefix="$PWD/$prefix" ;; esac

"do_$verb"
