// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "daemon/sandbox/sandbox.h"
#include "tests/unit/daemon/sandbox/fake_host.h"

namespace codexos::daemon {
namespace {

std::vector<std::string> ignored;  // notes

ViewRequest ann() {
  ViewRequest r;
  r.caller.uid = 1001;
  r.caller.gid = 1002;
  r.caller.user = "ann";
  r.caller.home = "/home/ann";
  r.caller.env = {{"PATH", "/usr/bin"},    {"LANG", "de_DE.UTF-8"}, {"LC_ALL", "C"},
                  {"TERM", "xterm"},       {"SHELL", "/bin/bash"},  {"AWS_SECRET_ACCESS_KEY", "s"},
                  {"SSH_AUTH_SOCK", "/x"}, {"DISPLAY", ":0"},       {"TMPDIR", "/x"},
                  {"CI", "true"}};
  r.state_home = "/home/ann/.local/state/codexos";
  return r;
}
FakeHost host() {
  FakeHost h = debian();
  h.dir("/home/ann/.local/state/codexos/tenants").dir("/srv/data/deep").file("/srv/file");
  h.dir("/home/ann/.ssh")
      .file("/home/ann/.ssh/id")
      .dir("/home/ann/.config/gh")
      .file("/home/ann/.npmrc", "");
  h.dir("/home/ann/.config/app").link("/home/ann/.config/BraveSoftware", "/home/ann/.config/app");
  h.file("/home/ann/.config/pip/pip.conf", "");
  return h;
}
Result<std::vector<Mount>> show(const std::string& text, const FakeHost& h = host()) {
  ViewRequest r = ann();
  r.cwd = "/srv";
  r.show = {text};
  const auto v = make_view(r, h);
  REQUIRE(v.ok());
  auto mounts = make_job_mounts(r, *v, h, ignored);
  if (!mounts.ok()) return mounts;
  auto& m = *mounts;
  m.erase(
      std::remove_if(m.begin(), m.end(), [](const Mount& x) { return x.role != MountRole::shown; }),
      m.end());
  return mounts;
}
const Mount* at(const std::vector<Mount>& mounts, const std::string& target) {
  for (const auto& m : mounts)
    if (m.target == target) return &m;
  return nullptr;
}

TEST_CASE("--show takes source, place and access apart") {
  struct Row {
    const char *text, *source, *target;
    bool read_only;
  };
  for (const Row row : {Row{"/srv/data", "/srv/data", "/srv/data", true},
                        Row{"/srv/data:ro", "/srv/data", "/srv/data", true},
                        Row{"/srv/data:rw", "/srv/data", "/srv/data", false},
                        Row{"/srv/data:/data", "/srv/data", "/data", true},
                        Row{"/srv/data:/data:rw", "/srv/data", "/data", false},
                        Row{"/srv/data/../file", "/srv/file", "/srv/file", true},
                        Row{"data/deep", "/srv/data/deep", "/srv/data/deep", true},
                        Row{"~/.ssh:rw", "/home/ann/.ssh", "/home/ann/.ssh", false},
                        Row{"/srv/data:~/d", "/srv/data", "/home/ann/d", true},
                        Row{"/srv/data:/opt/d", "/srv/data", "/opt/d", true},
                        Row{"/srv/data:/usr/share", "/srv/data", "/usr/share", true}}) {
    CAPTURE(row.text);
    const auto m = show(row.text);
    REQUIRE(m.ok());
    REQUIRE(m->size() == 1);
    CHECK(m->at(0).source == row.source);
    CHECK(m->at(0).target == row.target);
    CHECK(m->at(0).read_only == row.read_only);
    CHECK(m->at(0).ino != 0);
    CHECK(!m->at(0).devices);
  }
}

TEST_CASE("--show of a device keeps it usable") {
  const auto m = show("/dev/kvm");
  REQUIRE(m.ok());
  CHECK(m->at(0).devices);
}

TEST_CASE("--show refuses with the reason") {
  struct Row {
    const char* text;
    Code code;
    const char* reason;
  };
  for (const Row row :
       {Row{"/gone", Code::invalid, "does not exist"}, Row{"", Code::invalid, "absolute"},
        Row{"/a:/b:/c", Code::invalid, "SRC[:DST]"},
        Row{"/srv/data:", Code::invalid, "place inside"}, Row{"/", Code::denied, "state folder"},
        Row{"/home/ann", Code::denied, "state folder"},
        Row{"~/.local/state/codexos", Code::denied, "lies in the state folder"},
        Row{"~/.local/state/codexos/tenants:/x", Code::denied, "lies in the state folder"},
        Row{"~/.local/state", Code::denied, "holds the state folder"},
        Row{"/proc/sys", Code::denied, "own /proc"},
        Row{"/srv/data:/usr", Code::denied, "would hide /usr"},
        Row{"/srv/data:/", Code::denied, "would hide"},
        Row{"/srv/data:/home", Code::denied, "would hide /home/ann"},
        Row{"/srv/data:/etc/passwd", Code::denied, "would hide"},
        Row{"/srv/data:/proc/1", Code::denied, "/proc"},
        Row{"/srv/data:/usr/new", Code::denied, "read-only inside"}}) {
    CAPTURE(row.text);
    const auto m = show(row.text);
    REQUIRE(!m.ok());
    CHECK(m.error().code == row.code);
    CAPTURE(m.error().message);
    CHECK(m.error().message.find(row.reason) != std::string::npos);
  }
}

TEST_CASE("HOME set elsewhere does not lay the real home open") {
  ViewRequest r = ann();
  const auto h = host();
  r.caller.passwd_home = "/home/ann";
  r.caller.home = "/srv/data";
  r.state_home = "/var/state";
  const auto v = make_view(r, h);
  r.show = {"/home/ann"};
  CHECK(!make_job_mounts(r, *v, h, ignored).ok());
  r.show = {"/home/ann/.config"};
  const auto m = make_job_mounts(r, *v, h, ignored);
  REQUIRE(m.ok());
  CHECK(at(*m, "/home/ann/.config/gh") != nullptr);
}

TEST_CASE("the state folder is recognised through a bind mount") {
  auto h = host();
  h.same("/mnt/alias", "/home/ann/.local/state/codexos").dir("/mnt/alias/tenants");
  CHECK(!show("/mnt/alias", h).ok());
  CHECK(!show("/mnt/alias/tenants:/x", h).ok());
}

TEST_CASE("a shown folder does not bring along what is never shown") {
  const auto m = show("~/.config:/c");
  REQUIRE(m.ok());
  REQUIRE(at(*m, "/c/gh") != nullptr);
  CHECK(at(*m, "/c/gh")->kind == MountKind::tmpfs);
  CHECK(at(*m, "/c/pip/pip.conf")->kind == MountKind::hide);
  CHECK(at(*m, "/c/app") == nullptr);
}

TEST_CASE("parents are mounted before what lies in them") {
  auto r = ann();
  const auto h = host();
  r.show = {"/srv/file:/data/deep/file", "/srv/data:/data"};
  const auto v = make_view(r, h);
  const auto m = make_job_mounts(r, *v, h, ignored);
  REQUIRE(m.ok());
  const auto index = [&](const char* t) { return at(*m, t) - m->data(); };
  CHECK(index("/data") < index("/data/deep/file"));
}

TEST_CASE("hidden things are those that exist, with the option that shows them") {
  const auto hidden = hidden_things(ann().caller, host());
  CHECK(std::find(hidden.begin(), hidden.end(), "~/.ssh: --show ~/.ssh") != hidden.end());
  CHECK(std::find(hidden.begin(), hidden.end(), "~/.aws: --show ~/.aws") == hidden.end());
}

std::map<std::string, std::string> env_of(const ViewRequest& r, const FakeHost& h,
                                          const std::map<std::string, std::string>& set = {}) {
  const auto v = make_view(r, h);
  std::map<std::string, std::string> out;
  for (const auto& kv : make_env(r, *v, {}, set, "task1", "/home/ann/p", h))
    out[kv.substr(0, kv.find('='))] = kv.substr(kv.find('=') + 1);
  return out;
}

TEST_CASE("the environment is the list, and what is set") {
  auto env = env_of(ann(), host());
  const std::map<std::string, std::string> wanted = {
      {"LANG", "de_DE.UTF-8"}, {"LC_ALL", "C"},        {"TERM", "xterm"},        {"CI", "true"},
      {"PATH", "/usr/bin"},    {"SHELL", "/bin/bash"}, {"HOME", "/home/ann"},    {"USER", "ann"},
      {"LOGNAME", "ann"},      {"PWD", "/home/ann/p"}, {"CODEXOS_TASK", "task1"}};
  CHECK(env == wanted);
}

TEST_CASE("-e wins over everything, PATH too") {
  auto env = env_of(ann(), host(), {{"PATH", "/x"}, {"FOO", "a=b"}, {"HOME", "/y"}});
  CHECK(env["PATH"] == "/x");
  CHECK(env["FOO"] == "a=b");
  CHECK(env["HOME"] == "/y");
}

TEST_CASE("a shell that does not exist inside is replaced") {
  auto r = ann();
  r.caller.env["SHELL"] = "/home/ann/.local/bin/fish";
  CHECK(env_of(r, host())["SHELL"] == "/bin/bash");
}

TEST_CASE("folders of the workspace stay on PATH") {
  auto r = ann();
  auto h = host();
  h.dir("/home/ann/p/node_modules/.bin");
  r.caller.env["PATH"] = "/home/ann/p/node_modules/.bin:/usr/bin";
  r.workspace = "/home/ann/p";
  CHECK(env_of(r, h)["PATH"] == "/home/ann/p/node_modules/.bin:/usr/bin");
}

std::string text_at(const FakeHost& h, const std::string& target) {
  const auto v = make_view(ann(), h);
  REQUIRE(v.ok());
  const Mount* found = at(v->mounts, target);
  return found == nullptr ? "" : found->content;
}

TEST_CASE("registries are taken over without tokens") {
  auto h = host();
  CHECK(text_at(h, "/home/ann/.npmrc").empty());
  h.file("/home/ann/.npmrc",
         "; mine\nregistry=https://ann:secret@npm.example/r/\n//npm.example/:_authToken=tok\n"
         "@acme:registry=https://acme.example/\n_auth=tok\nemail=a@b\ncafile = /home/ann/ca.pem\n");
  h.file("/home/ann/.config/pip/pip.conf",
         "[install]\nindex-url = https://no.example\n"
         "[global]\nindex-url = https://tok@pypi.example/simple\n"
         "extra_index_url = https://${TOKEN}@x.example/\ncert = /etc/ssl/certs/ca.pem\n");
  CHECK(text_at(h, "/home/ann/.npmrc") ==
        "@acme:registry = https://acme.example/\nregistry = https://npm.example/r/\n");
  CHECK(text_at(h, "/home/ann/.config/pip/pip.conf") ==
        "[global]\ncert = /etc/ssl/certs/ca.pem\nindex-url = https://pypi.example/simple\n");
}

std::string git_text(const FakeHost& h) { return text_at(h, "/home/ann/.gitconfig"); }

TEST_CASE("of git's configuration only who commits and the first branch") {
  auto h = host();
  CHECK(git_text(h).empty());
  h.file("/home/ann/.config/git/config", "[user]\nname = Xdg\nemail=x@example\n");
  h.file("/home/ann/.gitconfig",
         "[user]\n\tname = \"Ann # \\\"O\\\"\" ; really\n\tsigningkey = k\n[alias]\n\tst = !evil\n"
         "[include]\n\tpath = other\n[user \"work\"]\n\temail = w@example\n[credential]\n\thelper "
         "= store\n"
         "[init] defaultBranch = trunk\n[core]\n\thooksPath = x\n");
  CHECK(git_text(h) ==
        "[user]\n\tname = \"Ann # \\\"O\\\"\"\n\temail = \"x@example\"\n[init]\n\tdefaultBranch = "
        "\"trunk\"\n");
}

TEST_CASE("caches of the workspace are shown, writable, where the programs look") {
  auto h = host();
  auto r = ann();
  r.cache_dir = "/home/ann/.local/state/codexos/caches/w";
  for (const auto& row : cache_rows()) h.dir(r.cache_dir + "/" + std::string(row.folder));
  const auto v = make_view(r, h);
  const auto m = make_job_mounts(r, *v, h, ignored);
  REQUIRE(m.ok());
  const auto caches = std::count_if(m->begin(), m->end(), [](const Mount& x) {
    return x.role == MountRole::cache && !x.read_only && x.kind == MountKind::bind;
  });
  CHECK(caches == 1);
  for (const auto& row : cache_rows()) {
    const Mount* link = at(v->mounts, "/home/ann/" + std::string(row.target));
    REQUIRE(link != nullptr);
    CHECK(link->kind == MountKind::symlink);
  }
}

TEST_CASE("sockets below a shown folder are covered, those asked for are not, the rest is told") {
  ViewRequest r = ann();
  auto h = host();
  h.socket("/srv/data/deep/docker.sock").socket("/srv/data/mine.sock").file("/srv/data/file");
  r.show = {"/srv/data:/data:rw", "/srv/data/mine.sock"};
  const auto v = make_view(r, h);
  std::vector<std::string> notes;
  auto m = make_job_mounts(r, *v, h, notes);
  REQUIRE(m.ok());
  REQUIRE(at(*m, "/data/deep/docker.sock") != nullptr);
  CHECK(at(*m, "/data/deep/docker.sock")->kind == MountKind::hide);
  CHECK(at(*m, "/data/mine.sock") == nullptr);
  CHECK(at(*m, "/data/file") == nullptr);
  CHECK(notes.empty());
  for (int n = 0; n < 70; ++n) h.socket("/srv/data/many/s" + std::to_string(n));
  m = make_job_mounts(r, *v, h, notes);
  REQUIRE(m.ok());
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].find("--show /srv/data: too much") == 0);
}

}  // namespace
}  // namespace codexos::daemon
