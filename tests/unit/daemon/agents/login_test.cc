// SPDX-License-Identifier: Apache-2.0
// Shared logins: what is shared, what goes back, and what a task cannot do with them.
#include "daemon/agents/login.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "core/json/json.h"
#include "core/os/file.h"
#include "tests/unit/temp_dir.h"

namespace codexos::daemon {
namespace {

struct Fixture {
  Fixture() {
    REQUIRE(make_dirs(home + "/.a", 0700).ok());
    login.file = "~/.a/cred.json";
    login.link = ".a/cred.json";
    login.keys = {"oauth"};
    login.needs = "oauth.token";
    login.newer = "oauth.expires";
    write(own, doc("t1", 10));
    chmod(own.c_str(), 0600);
  }
  static void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  static std::string read(const std::string& path) {
    const auto text = read_file(path);
    return text.ok() ? *text : "";
  }
  static std::string doc(const std::string& token, int expires) {
    return R"({"other":"private","oauth":{"token":")" + token + R"(","expires":)" +
           std::to_string(expires) + "}}";
  }
  static std::string shared_doc(const std::string& token, int expires) {
    return R"({"oauth":{"token":")" + token + R"(","expires":)" + std::to_string(expires) + "}}";
  }
  std::string token_of_own() {
    const auto v = json::parse(read(own));
    return v.ok() ? (*v)["oauth"]["token"].get<std::string>() : "damaged";
  }
  Status share() { return share_login(login, state, "a", home); }
  Status sync() { return sync_login(state, "a"); }

  TempDir dir;
  std::string home = dir.path + "/home", state = dir.path + "/state";
  std::string own = home + "/.a/cred.json";
  std::string inside = state + "/logins/a/files/cred.json";
  PresetLogin login;
};

TEST_CASE_FIXTURE(Fixture, "only the members that the preset names are shared") {
  REQUIRE(share().ok());
  CHECK(read(inside) == shared_doc("t1", 10));
  CHECK(login_is_shared(state, "a"));
  CHECK(describe_login(login, state, "a", home).state == "shared");
}

TEST_CASE_FIXTURE(Fixture, "a refresh inside is written back, and the rest of the file stays") {
  REQUIRE(share().ok());
  write(inside, shared_doc("t2", 20));
  REQUIRE(sync().ok());
  CHECK(token_of_own() == "t2");
  CHECK(read(own).find("private") != std::string::npos);
  struct stat st {};
  REQUIRE(stat(own.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  CHECK_FALSE(describe_login(login, state, "a", home).written_back_at.empty());
}

TEST_CASE_FIXTURE(Fixture, "a login outside is carried in, also when it replaced the file") {
  REQUIRE(share().ok());
  REQUIRE(unlink(own.c_str()) == 0);
  write(own, doc("t3", 30));
  REQUIRE(sync().ok());
  CHECK(read(inside) == shared_doc("t3", 30));
}

TEST_CASE_FIXTURE(Fixture, "when both sides changed, the newer one counts") {
  REQUIRE(share().ok());
  write(own, doc("outside", 50));
  write(inside, shared_doc("inside", 40));
  REQUIRE(sync().ok());
  CHECK(token_of_own() == "outside");
  CHECK(read(inside) == shared_doc("outside", 50));
  write(own, doc("outside2", 60));
  write(inside, shared_doc("inside2", 70));
  REQUIRE(sync().ok());
  CHECK(token_of_own() == "inside2");
}

TEST_CASE_FIXTURE(Fixture, "what is no login of that shape goes nowhere") {
  REQUIRE(share().ok());
  for (const std::string& bad :
       {std::string("{"), std::string("[]"), std::string("{\"oauth\":{\"token\":\"\"}}"),
        std::string("{\"oauth\":\"x\"}"), std::string(300 << 10, ' '), shared_doc("old", 1)}) {
    write(inside, bad);
    (void)sync();
    CHECK(token_of_own() == "t1");
  }
  // Another type in a place that was there before.
  write(inside, R"({"oauth":{"token":"t9","expires":"99"}})");
  CHECK(sync().ok());
  CHECK(token_of_own() == "t1");
  CHECK(read(inside) == shared_doc("t1", 10));
  CHECK_FALSE(describe_login(login, state, "a", home).detail.empty());
}

TEST_CASE_FIXTURE(Fixture, "a link or a pipe in its place is not followed") {
  REQUIRE(share().ok());
  const std::string secret = dir.path + "/secret";
  write(secret, shared_doc("stolen", 99));
  REQUIRE(unlink(inside.c_str()) == 0);
  REQUIRE(symlink(secret.c_str(), inside.c_str()) == 0);
  REQUIRE(sync().ok());
  CHECK(token_of_own() == "t1");
  CHECK(read(inside) == shared_doc("t1", 10));  // the link was replaced, not written through
  CHECK(read(secret) == shared_doc("stolen", 99));
  REQUIRE(unlink(inside.c_str()) == 0);
  REQUIRE(mkfifo(inside.c_str(), 0600) == 0);
  REQUIRE(sync().ok());
  CHECK(token_of_own() == "t1");
}

TEST_CASE_FIXTURE(Fixture, "who logged out has nothing shared any more") {
  REQUIRE(share().ok());
  REQUIRE(unlink(own.c_str()) == 0);
  CHECK(sync().error().code == Code::not_found);
  CHECK(access(inside.c_str(), F_OK) != 0);
  CHECK(access(own.c_str(), F_OK) != 0);  // and it is not brought back
}

TEST_CASE_FIXTURE(Fixture, "there must be a login to share, and a share to revoke") {
  CHECK(revoke_login(state, "a").error().code == Code::not_found);
  write(own, "{\"oauth\":{}}");
  CHECK(share().error().code == Code::invalid);
  CHECK_FALSE(login_is_shared(state, "a"));
  REQUIRE(unlink(own.c_str()) == 0);
  CHECK(share().error().code == Code::not_found);
  write(own, doc("t1", 10));
  REQUIRE(share().ok());
  REQUIRE(revoke_login(state, "a").ok());
  CHECK(access(inside.c_str(), F_OK) != 0);
  CHECK(token_of_own() == "t1");
}

TEST_CASE_FIXTURE(Fixture, "a file that an agent put in the link's place is taken over") {
  REQUIRE(share().ok());
  const std::string folders = dir.path + "/folders";
  REQUIRE(make_dirs(folders + "/.a", 0700).ok());
  REQUIRE(place_login_link(login, state, "a", folders, true).ok());
  const std::string link = folders + "/.a/cred.json";
  char text[100];
  CHECK(readlink(link.c_str(), text, sizeof text) > 0);
  REQUIRE(unlink(link.c_str()) == 0);
  write(link, shared_doc("t4", 40));
  REQUIRE(settle_login(state, "a", folders).ok());
  CHECK(token_of_own() == "t4");
  CHECK(readlink(link.c_str(), text, sizeof text) > 0);
  REQUIRE(place_login_link(login, state, "a", folders, false).ok());
  CHECK(readlink(link.c_str(), text, sizeof text) < 0);
}

// ---- placeholders instead of tokens

struct HeldFixture : Fixture {
  HeldFixture() {
    login.tokens["oauth.token"] = PresetUse{{"api.test"}, "authorization"};
    login.tokens["oauth.refresh"] = PresetUse{{}, "authorization"};
    login.refresh.push_back({{"login.test"}, "/token", "oauth.refresh", {{"t", "oauth.token"}}});
    write(own, held_doc("sk-ant-token-0123456789abcdef", "refresh-token-0123456789ab", 10));
    REQUIRE(share().ok());
  }
  static std::string held_doc(const std::string& token, const std::string& refresh, int expires) {
    return R"({"other":"private","oauth":{"token":")" + token + R"(","refresh":")" + refresh +
           R"(","expires":)" + std::to_string(expires) + "}}";
  }
  json::Value own_oauth() { return (*json::parse(read(own)))["oauth"]; }
  json::Value seen() { return (*json::parse(read(inside)))["oauth"]; }
  /// As an agent writes what it has been answered.
  void writes_inside(const json::Value& oauth) {
    write(inside, json::dump(json::Value{{"oauth", oauth}}));
    REQUIRE(sync().ok());
  }
};

TEST_CASE_FIXTURE(HeldFixture,
                  "tasks see placeholders in the shape of the tokens, always the same") {
  const json::Value was = seen();
  CHECK(was["token"].get<std::string>().rfind("sk-ant-token-cxsec_", 0) == 0);
  CHECK(was["refresh"].get<std::string>().find("0123456789") == std::string::npos);
  CHECK(was["expires"] == 10);
  write(own, held_doc("sk-ant-token-of-the-next-day-0123", "another-refresh-token-012345", 20));
  REQUIRE(sync().ok());
  CHECK(seen()["token"].get<std::string>().substr(7) == was["token"].get<std::string>().substr(7));
  CHECK(seen()["expires"] == 20);
  const auto tokens = read_login_tokens(state, "a");
  REQUIRE(tokens.ok());
  REQUIRE(tokens->tokens.size() == 2);
  CHECK(tokens->tokens[1].path == "oauth.token");
  CHECK(tokens->tokens[1].value.view() == "sk-ant-token-of-the-next-day-0123");
  CHECK(tokens->tokens[1].use.hosts == std::vector<std::string>{"api.test"});
  CHECK(tokens->refresh.size() == 1);
}

TEST_CASE_FIXTURE(HeldFixture,
                  "new tokens go into the user's own file, and what the agent adds too") {
  std::map<std::string, Secret> fresh;
  fresh.emplace("oauth.token", Secret("sk-ant-fresh-0123456789abcdef01"));
  REQUIRE(keep_login_tokens(state, "a", fresh).ok());
  CHECK(own_oauth()["token"] == "sk-ant-fresh-0123456789abcdef01");
  CHECK(own_oauth()["refresh"] == "refresh-token-0123456789ab");
  CHECK((*json::parse(read(own)))["other"] == "private");
  struct stat st {};
  REQUIRE(stat(own.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  json::Value oauth = seen();
  oauth["expires"] = 99;
  writes_inside(oauth);
  CHECK(own_oauth()["expires"] == 99);
  CHECK(own_oauth()["token"] == "sk-ant-fresh-0123456789abcdef01");
  CHECK(own_oauth()["refresh"] == "refresh-token-0123456789ab");
}

TEST_CASE_FIXTURE(HeldFixture,
                  "a task neither puts tokens of its own there nor logs the user out") {
  const json::Value was = own_oauth();
  json::Value oauth = seen();
  oauth["token"] = "sk-ant-token-of-an-attacker-0123";
  oauth["expires"] = 1000;
  writes_inside(oauth);
  CHECK(own_oauth() == was);
  CHECK(describe_login(login, state, "a", home).detail.find("tokens of its own") !=
        std::string::npos);
  oauth = seen();
  CHECK(oauth["token"].get<std::string>().find("cxsec_") != std::string::npos);
  oauth.erase("refresh");
  oauth["expires"] = 30;
  writes_inside(oauth);
  CHECK(own_oauth()["refresh"] == was["refresh"]);
  CHECK(own_oauth()["expires"] == 30);
}

}  // namespace
}  // namespace codexos::daemon
