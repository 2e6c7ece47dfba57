// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "daemon/sandbox/sandbox.h"
#include "tests/unit/daemon/sandbox/fake_host.h"

namespace codexos::daemon {
namespace {

ViewRequest ann(const std::string& path = "/usr/local/bin:/usr/bin:/bin") {
  ViewRequest r;
  r.caller.uid = 1001;
  r.caller.gid = 1002;
  r.caller.user = "ann";
  r.caller.home = "/home/ann";
  r.caller.env["PATH"] = path;
  r.state_home = "/home/ann/.local/state/codexos";
  return r;
}
ViewRequest root() {
  ViewRequest r = ann();
  r.caller.uid = r.caller.gid = 0;
  r.caller.user = "root";
  r.caller.home = "/root";
  r.task_host_uid = r.task_host_gid = 2000000001;
  return r;
}
View view_of(const ViewRequest& r, const Host& host) {
  auto v = make_view(r, host);
  REQUIRE(v.ok());
  return *std::move(v);
}
const Mount* at(const std::vector<Mount>& mounts, const std::string& target) {
  const Mount* found = nullptr;
  for (const auto& m : mounts)
    if (m.target == target) found = &m;
  return found;
}
std::vector<std::string> toolchains(const View& v) {
  std::vector<std::string> out;
  for (const auto& m : v.mounts)
    if (m.role == MountRole::toolchain) {
      CHECK(m.read_only);
      CHECK(m.ino != 0);
      out.push_back(m.target);
    }
  std::sort(out.begin(), out.end());
  return out;
}
using Paths = std::vector<std::string>;

TEST_CASE("the root comes first, and every bind says which object it means") {
  const View v = view_of(ann(), debian());
  CHECK(v.mounts.at(0).target == "/");
  CHECK(v.mounts.at(0).kind == MountKind::tmpfs);
  for (const auto& m : v.mounts) {
    CAPTURE(m.target);
    if (m.kind == MountKind::tmpfs) CHECK(m.size_bytes > 0);
    if (m.kind == MountKind::tmpfs) CHECK(m.inodes > 0);
    if (m.kind != MountKind::bind || m.role == MountRole::proc) continue;
    CHECK(m.ino != 0);
    CHECK((m.read_only || m.devices));
  }
}

TEST_CASE("merged usr stays links, /usr is read-only") {
  const View v = view_of(ann(), debian());
  CHECK(at(v.mounts, "/usr")->read_only);
  CHECK(at(v.mounts, "/bin")->kind == MountKind::symlink);
  CHECK(at(v.mounts, "/bin")->source == "usr/bin");
  CHECK(at(v.mounts, "/nix") == nullptr);
}

TEST_CASE("/etc is what the table names, never secrets") {
  const View v = view_of(ann(), debian());
  for (const char* there : {"/etc/ssl/certs", "/etc/alternatives", "/etc/java-17-openjdk",
                            "/etc/ld.so.cache", "/etc/services"}) {
    CAPTURE(there);
    CHECK(at(v.mounts, there) != nullptr);
  }
  for (const auto& m : v.mounts)
    for (const char* secret :
         {"/etc/shadow", "/etc/sudoers", "/etc/ssh", "/etc/ssl/private", "/etc/npmrc"})
      CHECK(!path_within(secret, m.kind == MountKind::bind ? m.target : "/none"));
  CHECK(at(v.mounts, "/etc/localtime")->kind == MountKind::symlink);
  CHECK(at(v.mounts, "/etc/localtime")->source == "/usr/share/zoneinfo/Europe/Berlin");
}

TEST_CASE("what is small in /etc is copied, what is large or not for everybody is shown in place") {
  FakeHost h = debian();
  h.file("/etc/profile", "umask 022\n").file("/etc/profile.d/a.sh", "a\n");
  h.link("/etc/profile.d/b.sh", "/usr/share/b.sh");
  h.file("/etc/screenrc", std::string(1 << 20, 'x'));
  h.file("/etc/zsh/zshrc", "secret").mode("/etc/zsh/zshrc", 0100640);
  for (int i = 0; i < 50; ++i) h.file("/etc/fonts/f" + std::to_string(i));
  for (int i = 0; i < 10; ++i) h.file("/etc/perl/p" + std::to_string(i), std::string(9 << 10, 'x'));
  const View v = view_of(ann(), h);
  CHECK(at(v.mounts, "/etc")->kind == MountKind::tmpfs);
  CHECK(at(v.mounts, "/etc")->read_only);
  CHECK(at(v.mounts, "/etc/profile")->kind == MountKind::file);
  CHECK(at(v.mounts, "/etc/profile")->content == "umask 022\n");
  CHECK(at(v.mounts, "/etc/profile")->mode == 0444);
  CHECK(at(v.mounts, "/etc/profile.d/a.sh")->content == "a\n");
  CHECK(at(v.mounts, "/etc/profile.d/b.sh")->source == "/usr/share/b.sh");
  CHECK(at(v.mounts, "/etc/screenrc")->kind == MountKind::bind);
  CHECK(at(v.mounts, "/etc/zsh")->kind == MountKind::bind);
  CHECK(at(v.mounts, "/etc/zsh/zshrc") == nullptr);
  CHECK(at(v.mounts, "/etc/fonts")->kind == MountKind::bind);
  CHECK(at(v.mounts, "/etc/perl")->kind == MountKind::bind);  // together they are not small
}

TEST_CASE("the caller is in passwd with number, home and shell, and nobody else of the host") {
  const View v = view_of(ann(), debian());
  const std::string& passwd = at(v.mounts, "/etc/passwd")->content;
  CHECK(passwd.find("ann:x:1001:1002::/home/ann:/bin/bash\n") != std::string::npos);
  CHECK(passwd.find("Onymous") == std::string::npos);
  CHECK(at(v.mounts, "/etc/group")->content.find("staff:x:1002:\n") != std::string::npos);
  CHECK(v.uid.inside == 1001);
  CHECK(v.uid.host == 1001);
  CHECK(v.gid.inside == 1002);
  CHECK(at(v.mounts, "/etc/hosts")->content.find("localhost codexos") != std::string::npos);
}

TEST_CASE("root's tasks are 1000 inside and never 0 outside") {
  const View v = view_of(root(), debian());
  CHECK(v.uid.inside == 1000);
  CHECK(v.uid.host == 2000000001);
  CHECK(at(v.mounts, "/root")->kind == MountKind::tmpfs);
  CHECK(at(v.mounts, "/etc/passwd")->content.find("root:x:1000:1000::/root:/bin/bash\n") == 0);
  CHECK(at(v.mounts, "/etc/passwd")->content.find(":x:0:") == std::string::npos);
  auto r = root();
  r.task_host_uid = 0;
  CHECK(!make_view(r, debian()).ok());
}

TEST_CASE("a name that would break passwd is not taken over") {
  auto r = ann();
  r.caller.user = "ann:x:0:0\nevil";
  const View v = view_of(r, debian());
  CHECK(at(v.mounts, "/etc/passwd")->content.find("evil") == std::string::npos);
}

TEST_CASE("HOME is private; a service's home that is the system is not taken") {
  CHECK(at(view_of(ann(), debian()).mounts, "/home/ann")->mode == 0700);
  for (const char* home : {"/", "/usr/sbin", "/etc", "/proc/1", "/dev"}) {
    auto r = ann();
    r.caller.home = home;
    const View v = view_of(r, debian());
    CHECK(at(v.mounts, "/home/ann")->kind == MountKind::tmpfs);
    CHECK(at(v.mounts, "/")->role == MountRole::system);
  }
}

TEST_CASE("the default profile masks /proc, nested leaves it") {
  const View d = view_of(ann(), debian());
  CHECK(at(d.mounts, "/proc/keys")->kind == MountKind::hide);
  CHECK(at(d.mounts, "/proc/acpi")->kind == MountKind::tmpfs);
  CHECK(at(d.mounts, "/proc/acpi")->read_only);
  CHECK(at(d.mounts, "/proc/sys")->read_only);
  CHECK(at(d.mounts, "/proc/sys/kernel/osrelease")->content == "6.1.0\n");
  CHECK(at(d.mounts, "/proc/sys/kernel/core_pattern")->content == "core\n");
  CHECK(at(d.mounts, "/proc/kcore") == nullptr);  // not on this host
  auto r = ann();
  r.seccomp = wire::SeccompProfile::nested;
  const View n = view_of(r, debian());
  CHECK(n.nested);
  for (const auto& m : n.mounts) CHECK((m.target == "/proc" || !path_within(m.target, "/proc")));
}

TEST_CASE("user namespaces are for nested only") {
  auto r = ann();
  const auto limit = [&r](const char* name) {
    for (const auto& l : view_of(r, debian()).user_limits)
      if (l.name == name) return l.value;
    return ~uint64_t{0};
  };
  CHECK(limit("max_user_namespaces") == 0);
  CHECK(limit("max_inotify_instances") == 64);
  r.seccomp = wire::SeccompProfile::nested;
  CHECK(limit("max_user_namespaces") == 32);
}

TEST_CASE("the key tells views apart and nothing else") {
  auto r = ann();
  const std::string key = view_of(r, debian()).key;
  r.workspace = "/home/ann/p";
  r.cache_dir = "/home/ann/c";
  r.show = {"/srv"};
  CHECK(view_of(r, debian()).key == key);
  r.seccomp = wire::SeccompProfile::nested;
  CHECK(view_of(r, debian()).key != key);
  auto h = debian();
  h.dir("/etc/maven");
  CHECK(view_of(ann(), h).key != key);
}

TEST_CASE("programs below HOME on PATH are shown with their install roots") {
  auto h = debian();
  h.file("/home/ann/.nvm/versions/node/v20/bin/node").file("/home/ann/.nvm/alias/default");
  h.dir("/home/ann/.cargo/bin").dir("/home/ann/.rustup").file("/home/ann/.cargo/credentials.toml");
  h.dir("/home/ann/.pyenv/shims").dir("/home/ann/.pyenv/bin");
  h.dir("/home/ann/go/bin").dir("/home/ann/go/src").dir("/home/ann/sdk/go1.22/bin");
  const View v = view_of(
      ann("/home/ann/.nvm/versions/node/v20/bin:/home/ann/.cargo/bin:/home/ann/.pyenv/shims:"
          "/home/ann/.pyenv/bin:/home/ann/go/bin:/home/ann/sdk/go1.22/bin:/usr/bin"),
      h);
  CHECK(toolchains(v) == Paths{"/home/ann/.cargo/bin", "/home/ann/.nvm/versions/node/v20",
                               "/home/ann/.pyenv", "/home/ann/.rustup", "/home/ann/go/bin",
                               "/home/ann/sdk/go1.22"});
}

TEST_CASE("links in ~/.local/bin bring their install roots, or the one file") {
  auto h = debian();
  h.link("/home/ann/.local/bin/ruff", "/home/ann/.local/share/uv/tools/ruff/bin/ruff");
  h.file("/home/ann/.local/share/uv/tools/ruff/bin/ruff");
  h.link("/home/ann/.local/share/uv/tools/ruff/bin/python3",
         "/home/ann/.local/share/uv/python/cpython-3.12/bin/python3.12");
  h.file("/home/ann/.local/share/uv/python/cpython-3.12/bin/python3.12");
  h.link("/home/ann/.local/bin/mine", "/home/ann/work/tool/mine.py");
  h.file("/home/ann/work/tool/mine.py").file("/home/ann/work/tool/secret");
  h.link("/home/ann/.local/bin/keys", "/home/ann/.ssh/id_rsa").file("/home/ann/.ssh/id_rsa");
  const View v = view_of(ann("/home/ann/.local/bin:/usr/bin"), h);
  CHECK(toolchains(v) ==
        Paths{"/home/ann/.local/bin", "/home/ann/.local/share/uv/python/cpython-3.12",
              "/home/ann/.local/share/uv/tools/ruff", "/home/ann/work/tool/mine.py"});
}

TEST_CASE("an install root is known by what lies in it") {
  auto h = debian();
  h.dir("/home/ann/venv/bin").file("/home/ann/venv/pyvenv.cfg");
  h.dir("/home/ann/jdk/bin").file("/home/ann/jdk/lib/jvm.cfg");
  const View v = view_of(ann("/home/ann/venv/bin:/home/ann/jdk/bin"), h);
  CHECK(toolchains(v) == Paths{"/home/ann/jdk", "/home/ann/venv"});
}

TEST_CASE("of an unknown folder on PATH only the folder, and only when it looks like programs") {
  auto h = debian();
  h.file("/home/ann/p/bin/x").file("/home/ann/p/secret");
  h.file("/home/ann/q/bin/x").file("/home/ann/q/bin/.env");
  h.file("/home/ann/docs/x");
  h.file("/home/ann/.ssh/bin/x");
  const View v = view_of(ann("/home/ann/p/bin:/home/ann/q/bin:/home/ann/docs:/home/ann/.ssh/bin:"
                             "/home/ann:/home:/:.:bin::"),
                         h);
  CHECK(toolchains(v) == Paths{"/home/ann/p/bin"});
}

TEST_CASE("the state folder is covered, or its part of PATH dropped, wherever it lies") {
  auto h = debian();
  h.dir("/opt/vendor/state/tenants");
  auto r = ann();
  r.state_home = "/opt/vendor/state";
  const View v = view_of(r, h);
  REQUIRE(at(v.mounts, "/opt/vendor/state") != nullptr);
  CHECK(at(v.mounts, "/opt/vendor/state")->kind == MountKind::tmpfs);
  CHECK(at(v.mounts, "/opt/vendor/state")->read_only);
  h.dir("/home/ann/.local/state/codexos/bin");
  CHECK(toolchains(view_of(ann("/home/ann/.local/state/codexos/bin"), h)).empty());
}

TEST_CASE("PATH keeps what exists inside, in order, each once") {
  auto h = debian();
  h.dir("/home/ann/.pyenv/shims").dir("/srv/tools").dir("/home/ann/p/node_modules/.bin");
  h.link("/home/ann/alias", "/home/ann/.pyenv");
  const auto r = ann("/home/ann/.pyenv/shims:/usr/bin:/srv/tools:/bin:/usr/bin:relative:/gone");
  const View v = view_of(r, h);
  CHECK(reduce_path(r.caller.env.at("PATH"), v, {}, h) == "/home/ann/.pyenv/shims:/usr/bin:/bin");
  CHECK(reduce_path("/home/ann/alias/shims", v, {}, h) == "/home/ann/.pyenv/shims");
  CHECK(reduce_path("/srv/tools", v, {}, h) == "/usr/local/bin:/usr/bin:/bin");
  Mount shown;
  shown.source = shown.target = "/srv";
  CHECK(reduce_path("/srv/tools:/srv/none", v, {shown}, h) == "/srv/tools");
}

}  // namespace
}  // namespace codexos::daemon
