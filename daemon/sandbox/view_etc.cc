// SPDX-License-Identifier: Apache-2.0
// /etc of a task: what programs read to find their parts, by name and with a reason; nothing that
// holds secrets or names people. Left out on purpose: shadow, sudoers, ssh, gitconfig (credential
// helpers), npmrc and pip.conf (tokens; their registry URLs are taken over as environment), apt's
// and wget's configuration (passwords), environment, krb5, ldap, ld.so.preload (names libraries
// that the view may lack).
#include <algorithm>
#include <iterator>

#include "core/base/path.h"
#include "daemon/sandbox/view_parts.h"

namespace codexos::daemon {
namespace {

/// Patterns, separated by blanks, relative to /etc: a name, or a prefix and '*' in the last
/// component.
struct EtcRow {
  std::string_view patterns;
  const char* why;
};
constexpr EtcRow kEtc[] = {
    {"alternatives", "java, awk, cc, editor and hundreds more are links into it"},
    {"ld.so.cache ld.so.conf ld.so.conf.d ld-musl-*", "the dynamic loader finds libraries by it"},
    {"ssl/certs ssl/cert.pem ssl/ca-bundle.pem ssl/openssl.cnf ssl/openssl.cnf.d ssl/java "
     "ca-certificates ca-certificates.conf",
     "TLS: who is trusted; not ssl/private"},
    {"pki/ca-trust pki/java pki/nssdb pki/tls/certs pki/tls/cert.pem pki/tls/openssl.cnf "
     "pki/tls/openssl.d pki/rpm-gpg crypto-policies",
     "the same on Fedora; not the private keys beside"},
    {"java* jvm* maven ant gradle scala", "the JVM's security settings and its build tools"},
    {"perl perl5 php* python* pypy* ruby* lua* R julia ipython jupyter",
     "configuration of interpreters"},
    {"node* deno* ghc erlang ocaml* sbcl* common-lisp emacs octave* fpc* gnucobol gcl mono dotnet "
     "gprofng.rc",
     "configuration of compilers and runtimes"},
    {"texmf texlive papersize libpaper.d", "TeX"},
    {"fonts ghostscript ImageMagick-* gtk-3.0 gtk-4.0 glvnd OpenCL",
     "rendering of documents and images"},
    {"chromium* firefox*", "browsers' defaults: Debian's chromium is a script that reads them"},
    {"terminfo inputrc nanorc vim screenrc tmux.conf", "terminals and editors"},
    {"localtime timezone locale.alias locale.conf locale.gen", "time zone and language"},
    {"services protocols rpc networks ethertypes netconfig host.conf bindresvport.blacklist",
     "names of ports and protocols: getservbyname"},
    {"mime.types magic magic.mime mailcap mailcap.order", "types of files"},
    {"bash.bashrc bashrc bash_completion profile profile.d zsh zshenv zshrc zprofile fish shells "
     "skel csh.cshrc csh.login",
     "shells find PATH and completions as on the host"},
    {"os-release lsb-release debian_version redhat-release fedora-release centos-release "
     "rocky-release alpine-release arch-release system-release SuSE-release",
     "scripts ask which distribution this is"},
    {"dpkg", "dpkg-vendor and package builds"},
    {"gdb debuginfod", "the debugger's own settings"},
    {"groff manpath.config man_db.conf", "manual pages"},
    {"xml sgml", "catalogues: xsltproc and docbook work offline by them"},
    {"dictionaries-common aspell* hunspell", "spell checkers"},
    {"postgresql-common", "Debian's psql is a wrapper that reads it"},
    {"openmpi* environment-modules lmod", "scientific programs"},
    {"xattr.conf mke2fs.conf login.defs",
     "which attributes cp copies; defaults of mke2fs and useradd"},
};

// The text of /etc/passwd's or group's line for a number; empty: none.
std::string line_of(const std::string& text, uint32_t number) {
  std::string found;
  each_part(text, '\n', [&](std::string_view line) {
    std::vector<std::string_view> f;
    for (std::string_view rest = line;;) {
      const size_t colon = rest.find(':');
      f.push_back(rest.substr(0, colon));
      if (colon == std::string_view::npos) break;
      rest.remove_prefix(colon + 1);
    }
    if (found.empty() && f.size() >= 3 && f[2] == std::to_string(number)) found = line;
  });
  return found;
}

std::string field(std::string_view line, int n) {
  for (; n > 0; --n) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return {};
    line.remove_prefix(colon + 1);
  }
  return std::string(line.substr(0, line.find(':')));
}

bool plain_name(std::string_view s) {
  return !s.empty() && s.size() <= 64 && std::all_of(s.begin(), s.end(), [](unsigned char c) {
    return c > ' ' && c != ':' && c != 127;
  });
}

std::string passwd_text(const Inside& who) {
  std::string t = who.user == "root" ? "" : "root:x:0:0:root:/root:/bin/sh\n";
  t += who.user + ":x:" + std::to_string(who.uid) + ":" + std::to_string(who.gid) +
       "::" + who.home + ":" + who.shell + "\n";
  if (who.uid != 65534) t += "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
  return t;
}

std::string group_text(const Inside& who) {
  std::string t = who.group == "root" ? "" : "root:x:0:\n";
  t += who.group + ":x:" + std::to_string(who.gid) + ":\n";
  if (who.gid != 65534) t += "nogroup:x:65534:\n";
  return t;
}

constexpr std::string_view kHosts =
    "127.0.0.1\tlocalhost codexos\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n";
constexpr std::string_view kNsswitch =
    "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
    "protocols: files\nservices: files\nethers: files\nrpc: files\n";

// Files that say who, where and by which names; the host's own would say too much or not fit.
void add_synthetic(const Inside& who, wire::Network net, const Host& host,
                   std::vector<Mount>& out) {
  std::string hosts(kHosts), resolv = "nameserver 127.0.0.53\noptions timeout:2 attempts:2\n";
  if (net == wire::Network::host) {  // the host's network has the host's names
    std::string text;
    if (host.read("/etc/hosts", text)) hosts += text;
    if (host.read("/etc/resolv.conf", text)) resolv = text;
  }
  const auto put = [&out](const char* name, std::string text) {
    out.push_back(file_at(MountRole::etc, join_path("/etc", name), std::move(text)));
  };
  put("passwd", passwd_text(who));
  put("group", group_text(who));
  put("hosts", std::move(hosts));
  put("resolv.conf", std::move(resolv));
  put("hostname", std::string(kHostname) + "\n");
  put("nsswitch.conf", std::string(kNsswitch));
  // D-Bus and others refuse to start without; the host's identifies it.
  put("machine-id", "c0de05c0de05c0de05c0de05c0de0500\n");
  out.push_back(link_at(MountRole::etc, "/etc/mtab", "/proc/self/mounts"));
}

bool shown_anyway(const std::string& path) {
  return path_within(path, "/usr") || path_within(path, "/nix") || path_within(path, "/gnu");
}

/// What is small is copied into the view, once for all tasks that have it: a mount costs each of
/// them 20 us, and its end as much again.
constexpr size_t kCopyEntry = 80 << 10;  // a file, or all of a folder
constexpr size_t kCopyNames = 48;        // in one folder
constexpr size_t kCopyAll = 384 << 10;

struct Copy {
  const Host& host;
  size_t left = kCopyAll;
  std::vector<Mount> out;

  /// `path`, shown at `target`. False: something of it is not small, or not everybody's to read.
  bool entry(const std::string& path, const std::string& target) {
    if (std::string text; host.read_link(path, text)) {
      out.push_back(link_at(MountRole::etc, target, std::move(text)));
      return true;
    }
    PathFact fact;
    if (!host.lookup(path, fact)) return false;
    return fact.is_dir ? folder(fact, target) : file(fact, target);
  }
  bool file(const PathFact& fact, const std::string& target) {
    std::string text;
    if ((fact.mode & 0170004) != 0100004 || fact.size > left || !host.read(fact.path, text) ||
        text.size() > left)
      return false;
    left -= text.size();
    out.push_back(file_at(MountRole::etc, target, std::move(text), fact.mode & 0555));
    return true;
  }
  bool folder(const PathFact& fact, const std::string& target) {
    if ((fact.mode & 0005) != 0005) return false;
    const auto names = host.list(fact.path);
    if (names.size() > kCopyNames) return false;
    out.push_back(dir_at(MountRole::etc, target, 0755));
    return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
      return entry(join_path(fact.path, name), join_path(target, name));
    });
  }
};

// A link into what is shown anyway stays a link: Java and Go read the zone's name from localtime's.
void add_entry(const std::string& path, Copy& copy) {
  PathFact fact;
  if (!copy.host.lookup(path, fact)) return;
  if (std::string text; copy.host.read_link(path, text) && shown_anyway(fact.path)) {
    copy.out.push_back(link_at(MountRole::etc, path, fact.path));
    return;
  }
  const size_t entries = copy.out.size(), all = copy.left;
  const size_t most = std::min(kCopyEntry, all);
  copy.left = most;
  const bool copied = copy.entry(fact.path, path);
  copy.left = copied ? all - (most - copy.left) : all;
  if (copied) return;
  copy.out.resize(entries);
  bind_existing(copy.host, MountRole::etc, path, path, copy.out);
}

}  // namespace

std::string inside_user(const Caller& c) { return plain_name(c.user) ? c.user : "user"; }

// Accounts of services have "/" or a folder of the system as their home: it cannot be a private
// one.
std::string inside_home(const Caller& c) {
  const std::string home = normal_path(c.home);
  const bool of_the_system = home == "/" || shown_anyway(home) || path_within("/usr", home) ||
                             path_within(home, "/etc") || path_within(home, "/proc") ||
                             path_within(home, "/dev") || path_within(home, "/sys");
  if (of_the_system || home.find_first_of(":\n") != std::string::npos)
    return "/home/" + inside_user(c);
  return home;
}

Inside inside_of(const Caller& c, const Host& host) {
  Inside who;
  // Never 0, or unshare and bwrap fail in `nested`. The name stays: what is root's outside is
  // root's.
  who.uid = c.uid == 0 ? 1000 : c.uid;
  who.gid = c.uid == 0 || c.gid == 0 ? 1000 : c.gid;
  who.user = inside_user(c);
  who.home = inside_home(c);
  std::string text;
  if (host.read("/etc/group", text)) who.group = field(line_of(text, c.gid), 0);
  if (!plain_name(who.group)) who.group = who.user;
  text.clear();
  if (host.read("/etc/passwd", text)) who.shell = field(line_of(text, c.uid), 6);
  PathFact fact;
  // Accounts of services have nologin or false: no shell to start `make` or tmux with.
  const std::string shell_name = who.shell.substr(who.shell.rfind('/') + 1);
  if ((!path_within(who.shell, "/bin") && !path_within(who.shell, "/usr")) ||
      shell_name == "nologin" || shell_name == "false")
    who.shell.clear();
  if (who.shell.empty() || !host.lookup(who.shell, fact))
    who.shell = host.lookup("/bin/bash", fact) ? "/bin/bash" : "/bin/sh";
  return who;
}

void add_etc(const Inside& who, wire::Network net, const Host& host, std::vector<Mount>& out) {
  out.push_back(tmpfs_at(MountRole::etc, "/etc", 0755, 2 << 20, 2048));
  out.back().read_only = true;
  const auto names = host.list("/etc");
  std::vector<std::string> paths;
  for (const auto& row : kEtc)
    each_part(row.patterns, ' ', [&](std::string_view pattern) {
      if (pattern.find('/') != std::string_view::npos) paths.push_back(join_path("/etc", pattern));
      for (const auto& name : names)
        if (name_fits(pattern, name)) paths.push_back(join_path("/etc", name));
    });
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  Copy copy{host, kCopyAll, {}};
  for (const auto& path : paths) add_entry(path, copy);
  std::move(copy.out.begin(), copy.out.end(), std::back_inserter(out));
  add_synthetic(who, net, host, out);
}

}  // namespace codexos::daemon
