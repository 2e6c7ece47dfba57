// SPDX-License-Identifier: Apache-2.0
#include "daemon/agents/login.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/id.h"
#include "core/base/path.h"
#include "core/base/placeholder.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "core/os/replace_file.h"

namespace codexos::daemon {
namespace {

using json::Value;

constexpr size_t kMaxFile = 256 << 10;  // of a credential file; real ones have a few KiB
constexpr int kMaxDepth = 8;
constexpr int kLockTries = 200;
constexpr int kLockPauseUs = 5000;

/// share.json
struct Share {
  std::string agent;
  std::string file;  // the user's own, resolved
  PresetLogin login;
  int64_t shared_at_us = 0;
  int64_t written_back_at_us = 0;
  std::string agreed;                               // a hash of what both sides held
  std::string trouble;                              // why the last change was not carried
  std::string replacing;                            // a hash of the user's own file meanwhile
  std::map<std::string, std::string> placeholders;  // of login.tokens
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("agent", s.agent);
    v("file", s.file);
    v("login", s.login);
    v("shared_at_us", s.shared_at_us);
    v("written_back_at_us", s.written_back_at_us);
    v("agreed", s.agreed);
    v("trouble", s.trouble);
    v("replacing", s.replacing);
    v("placeholders", s.placeholders);
  }
};

std::string folder_of(const std::string& state_home, const std::string& agent) {
  return state_home + "/logins/" + agent;
}
std::string hash_of_text(const std::string& text) {
  return to_hex(fnv1a(text)) + "-" + std::to_string(text.size());
}
std::string name_of_file(const PresetLogin& login) {
  return login.file.substr(login.file.rfind('/') + 1);
}

/// A regular file, not through a link, not a pipe that blocks.
Result<std::string> read_plain(const std::string& path) {
  CODEXOS_ASSIGN(const Fd fd, open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat st {};
  if (fstat(fd.get(), &st) != 0) return errno_error("stat " + path, errno);
  if (!S_ISREG(st.st_mode)) return Error{Code::invalid, path + " is no regular file", {}};
  std::string out(kMaxFile + 1, '\0');
  const ssize_t n = pread(fd.get(), out.data(), out.size(), 0);
  if (n < 0) return errno_error("read " + path, errno);
  if (static_cast<size_t>(n) > kMaxFile) return Error{Code::invalid, path + " is too large", {}};
  out.resize(static_cast<size_t>(n));
  return out;
}

/// By a file of a name of its own in `folder`: not where a task could have put a link.
Status put_file(const std::string& path, const std::string& folder, mode_t mode,
                const std::string& text) {
  return replace_file(path, text, mode, folder + "/.codexos-" + make_secret(8));
}

const Value* find_dotted(const Value& v, const std::string& path) {
  const Value* at = &v;
  for (size_t from = 0; from <= path.size();) {
    const size_t dot = std::min(path.find('.', from), path.size());
    if (!at->is_object()) return nullptr;
    const auto it = at->find(path.substr(from, dot - from));
    if (it == at->end()) return nullptr;
    at = &*it;
    from = dot + 1;
  }
  return at;
}

Value* find_dotted(Value& v, const std::string& path) {
  return const_cast<Value*>(find_dotted(std::as_const(v), path));
}

bool harmless(const Value& v, int depth) {
  if (depth > kMaxDepth) return false;
  if (!v.is_structured()) return true;
  return std::all_of(v.begin(), v.end(), [&](const Value& x) { return harmless(x, depth + 1); });
}

/// A value that is there on both sides keeps its type; null may become text and the other way.
bool same_shape(const Value& was, const Value& is) {
  if (was.is_null() || is.is_null()) return !is.is_structured() || was.is_null();
  if (was.is_number() && is.is_number()) return true;
  if (was.type() != is.type()) return false;
  if (!was.is_object()) return true;
  for (auto it = was.begin(); it != was.end(); ++it) {
    const auto other = is.find(it.key());
    if (other != is.end() && !same_shape(*it, *other)) return false;
  }
  return true;
}

bool is_shared_key(const PresetLogin& login, const std::string& key) {
  return std::any_of(login.keys.begin(), login.keys.end(),
                     [&](const std::string& k) { return k == "*" || k == key; });
}

/// The members that are shared. Error invalid: it is no login.
Result<Value> shared_part(const PresetLogin& login, const std::string& text) {
  CODEXOS_ASSIGN(const Value whole, json::parse(text));
  if (!whole.is_object()) return Error{Code::invalid, "it is no JSON object", {}};
  Value out = Value::object();
  for (auto it = whole.begin(); it != whole.end(); ++it)
    if (is_shared_key(login, it.key())) out[it.key()] = *it;
  if (out.empty()) return Error{Code::invalid, "it holds no login", {}};
  if (!harmless(out, 0)) return Error{Code::invalid, "it is nested too deeply", {}};
  if (!login.needs.empty()) {
    const Value* needed = find_dotted(out, login.needs);
    if (needed == nullptr || !needed->is_string() || needed->get<std::string>().empty())
      return Error{Code::invalid, "it has no " + login.needs, {}};
  }
  return out;
}

/// The text there; empty: none.
std::string text_at(const Value& v, const std::string& path) {
  const Value* at = find_dotted(v, path);
  return at != nullptr && at->is_string() ? at->get<std::string>() : std::string();
}

/// What tasks see of the user's own.
Value with_placeholders(Value own, const Share& share) {
  for (const auto& [path, placeholder] : share.placeholders)
    if (const std::string token = text_at(own, path); !token.empty())
      *find_dotted(own, path) = shaped_placeholder(token, placeholder);
  return own;
}

/// What a task wrote, with the user's own tokens. Error invalid: it has tokens of its own.
Result<Value> with_tokens(Value written, const Value& own, const Share& share) {
  for (const auto& [path, placeholder] : share.placeholders) {
    const std::string token = text_at(own, path), is = text_at(written, path);
    if (!is.empty() && is.find(placeholder) == std::string::npos)
      return Error{Code::invalid,
                   "a task wrote a login with tokens of its own; it was not taken over",
                   "log in outside of a task"};
    if (token.empty()) continue;
    // Also where it wrote none: nobody logs the user out.
    const size_t dot = path.rfind('.');
    Value* parent = dot == std::string::npos ? &written : find_dotted(written, path.substr(0, dot));
    if (parent != nullptr && parent->is_object())
      (*parent)[dot == std::string::npos ? path : path.substr(dot + 1)] = token;
  }
  return written;
}

std::string hash_of(const Value& v) { return hash_of_text(json::dump(v)); }

/// Beside the user's own file, while it is replaced. Whoever shares the same file under another
/// name has another one.
std::string own_temp(const Share& share, const std::string& dir) {
  return parent_path(share.file) + "/.codexos-" + to_hex(fnv1a(dir)) + "-" +
         name_of_file(share.login);
}

/// Below 0: a is older; 0: it cannot be told.
int compare_age(const PresetLogin& login, const Value& a, const Value& b) {
  if (login.newer.empty()) return 0;
  const Value* x = find_dotted(a, login.newer);
  const Value* y = find_dotted(b, login.newer);
  if (x == nullptr || y == nullptr) return 0;
  if (x->is_number() && y->is_number()) {
    const double d = x->get<double>() - y->get<double>();
    return d < 0 ? -1 : d > 0 ? 1 : 0;
  }
  if (x->is_string() && y->is_string())  // RFC 3339 in UTC sorts as text
    return x->get<std::string>().compare(y->get<std::string>());
  return 0;
}

class Sync {
 public:
  Sync(const std::string& state_home, const std::string& agent)
      : dir_(folder_of(state_home, agent)) {}

  Status run(bool tasks_run) {
    tasks_run_ = tasks_run;
    CODEXOS_TRY(lock());
    CODEXOS_TRY(load());
    auto s = carry();
    if (!s.ok()) refused_ = s.error().message;
    if (!refused_.empty()) share_.trouble = refused_;
    auto kept = save();
    return s.ok() ? std::move(kept) : std::move(s);
  }
  Status begin(Share share) {
    CODEXOS_TRY(make_dirs(dir_ + "/files", 0700));
    CODEXOS_TRY(lock());
    share_ = std::move(share);
    CODEXOS_TRY(carry());
    return save();
  }
  Result<LoginTokens> tokens() {
    CODEXOS_TRY(lock());
    CODEXOS_TRY(load());
    LoginTokens out;
    if (share_.placeholders.empty()) return out;
    CODEXOS_ASSIGN(const std::string text, read_plain(share_.file));
    CODEXOS_ASSIGN(const Value own, shared_part(share_.login, text));
    for (const auto& [path, placeholder] : share_.placeholders)
      out.tokens.push_back(
          {path, placeholder, Secret(text_at(own, path)), share_.login.tokens[path]});
    out.refresh = share_.login.refresh;
    return out;
  }
  Status keep(const std::map<std::string, Secret>& fresh) {
    CODEXOS_TRY(lock());
    CODEXOS_TRY(load());
    CODEXOS_ASSIGN(const std::string text, read_plain(share_.file));
    CODEXOS_ASSIGN(Value whole, json::parse(text));
    for (const auto& [path, token] : fresh)
      if (Value* at = find_dotted(whole, path)) *at = std::string(token.view());
    CODEXOS_TRY(write_own(whole));
    return save();
  }

 private:
  Status lock() {
    CODEXOS_ASSIGN(lock_, open_file(dir_ + "/lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    for (int n = 0;; ++n) {
      auto s = lock_file(lock_.get());
      if (s.ok() || s.error().code != Code::conflict || n == kLockTries) return s;
      usleep(kLockPauseUs);
    }
  }
  Status load() {
    CODEXOS_ASSIGN(const std::string text, read_file(dir_ + "/share.json"));
    CODEXOS_ASSIGN(share_, json::decode<Share>(text, json::Unknown::ignore));
    return finish_own();
  }

  /// What an earlier daemon, killed before it put that in its place, had written of new tokens: the
  /// old ones may be worth nothing any more. Not when the user has another file since.
  Status finish_own() {
    if (share_.replacing.empty()) return {};
    const std::string temp = own_temp(share_, dir_);
    const auto text = read_plain(temp), own = read_plain(share_.file);
    const bool whole = text.ok() && shared_part(share_.login, *text).ok();
    if (whole && own.ok() && hash_of_text(*own) == share_.replacing) {
      if (rename(temp.c_str(), share_.file.c_str()) != 0)
        return errno_error("rename to " + share_.file, errno);
      CODEXOS_TRY(sync_folder(parent_path(share_.file)));
    } else if (unlink(temp.c_str()) != 0 && errno != ENOENT) {
      return errno_error("unlink " + temp, errno);
    }
    share_.replacing.clear();
    return save();
  }

  Status save() {
    const std::string text = json::encode(share_);
    if (text == saved_) return {};
    saved_ = text;
    return put_file(dir_ + "/share.json", dir_, 0600, text);
  }

  std::string inside() const { return dir_ + "/files/" + name_of_file(share_.login); }

  Status carry() {
    const auto text = read_plain(share_.file);
    if (!text.ok() && text.error().code == Code::not_found) {
      // The user logged out: nobody goes on with what was shared.
      (void)unlink(inside().c_str());
      share_.agreed.clear();
      return Error{Code::not_found, share_.file + " is gone: log in again", {}};
    }
    if (!text.ok()) return text.error();
    auto real = shared_part(share_.login, *text);
    if (!real.ok()) return std::move(real).error().during(share_.file);
    const Value own = with_placeholders(*real, share_);
    const auto other_text = read_plain(inside());
    const auto other = other_text.ok() ? shared_part(share_.login, *other_text)
                                       : Result<Value>(other_text.error());
    const std::string own_hash = hash_of(own);
    if (tasks_run_ && other_text.ok() && !other.ok() && is_fresh(inside())) return {};
    if (!other.ok() || share_.agreed.empty()) return carry_in(own, own_hash);
    const std::string other_hash = hash_of(*other);
    if (own_hash == other_hash) {
      share_.agreed = own_hash;
      return {};
    }
    const int age = compare_age(share_.login, *other, own);
    const bool own_changed = own_hash != share_.agreed;
    const bool other_changed = other_hash != share_.agreed;
    if (!other_changed || (own_changed && age <= 0)) return carry_in(own, own_hash);
    if (age < 0 || !same_shape(own, *other)) {
      refused_ = std::string("a task wrote a login ") +
                 (age < 0 ? "that is older than" : "of another shape than") +
                 " the user's own; it was not taken over";
      return carry_in(own, own_hash);
    }
    const auto with = with_tokens(*other, *real, share_);
    if (!with.ok()) {
      refused_ = with.error().message;
      return carry_in(own, own_hash);
    }
    return write_back(*text, *with, other_hash);
  }

  /// Written in the last seconds: who looks at it may see a part.
  static bool is_fresh(const std::string& path) {
    constexpr int64_t kFreshUs = 5'000'000;
    struct stat st {};
    if (stat(path.c_str(), &st) != 0) return false;
    const int64_t at_us = int64_t{st.st_mtim.tv_sec} * 1'000'000 + st.st_mtim.tv_nsec / 1'000;
    return now_us() - at_us < kFreshUs;
  }

  Status carry_in(const Value& own, const std::string& hash) {
    CODEXOS_TRY(put_file(inside(), dir_, 0600, json::dump(own)));
    share_.agreed = hash;
    return {};
  }

  Status write_back(const std::string& text, const Value& shared, const std::string& hash) {
    CODEXOS_ASSIGN(Value whole, json::parse(text));
    for (auto it = shared.begin(); it != shared.end(); ++it) whole[it.key()] = *it;
    CODEXOS_TRY(write_own(whole));
    share_.agreed = hash;
    return {};
  }

  Status write_own(const Value& whole) {
    struct stat st {};
    if (stat(share_.file.c_str(), &st) != 0) return errno_error("stat " + share_.file, errno);
    CODEXOS_ASSIGN(const std::string before, read_plain(share_.file));
    share_.replacing = hash_of_text(before);
    CODEXOS_TRY(save());
    CODEXOS_TRY(replace_file(share_.file, json::dump_pretty(whole), st.st_mode & 0700,
                             own_temp(share_, dir_)));
    share_.replacing.clear();
    share_.written_back_at_us = now_us();
    share_.trouble.clear();
    return {};
  }

  std::string dir_;
  Fd lock_;
  Share share_;
  std::string saved_;
  bool tasks_run_ = false;
  std::string refused_;  // what was not carried, and why
};

Result<Share> load_share(const std::string& state_home, const std::string& agent) {
  CODEXOS_ASSIGN(const std::string text, read_file(folder_of(state_home, agent) + "/share.json"));
  return json::decode<Share>(text, json::Unknown::ignore);
}

std::string own_file(const PresetLogin& login, const std::string& home) {
  return home + login.file.substr(1);
}

}  // namespace

std::string login_files(const std::string& state_home, const std::string& agent) {
  return folder_of(state_home, agent) + "/files";
}

bool login_is_shared(const std::string& state_home, const std::string& agent) {
  return access((folder_of(state_home, agent) + "/share.json").c_str(), F_OK) == 0;
}

Status share_login(const PresetLogin& login, const std::string& state_home,
                   const std::string& agent, const std::string& home) {
  const std::string intent = "share the login of " + agent;
  auto file = real_path(own_file(login, home));
  if (!file.ok())
    return Error{Code::not_found, intent + ": there is no " + own_file(login, home),
                 "log in with " + agent + " first, outside of a task"};
  if (login_is_shared(state_home, agent)) CODEXOS_TRY(revoke_login(state_home, agent));
  Share share;
  share.agent = agent;
  share.file = *std::move(file);
  share.login = login;
  share.shared_at_us = now_us();
  for (const auto& [path, use] : login.tokens) share.placeholders[path] = make_placeholder();
  auto s = Sync(state_home, agent).begin(std::move(share));
  if (s.ok()) return s;
  (void)revoke_login(state_home, agent);
  return std::move(s).error().during(intent);
}

Status revoke_login(const std::string& state_home, const std::string& agent) {
  const std::string dir = folder_of(state_home, agent);
  if (access(dir.c_str(), F_OK) != 0)
    return Error{Code::not_found, "the login of " + agent + " is not shared",
                 "codexos agent login-share --list"};
  if (const auto share = load_share(state_home, agent); share.ok())
    (void)unlink(own_temp(*share, dir).c_str());
  // First what makes it a share: who looks meanwhile sees none.
  if (unlink((dir + "/share.json").c_str()) != 0 && errno != ENOENT)
    return errno_error("unlink " + dir + "/share.json", errno);
  auto freed = remove_tree(dir);
  return freed.ok() ? Status() : Status(freed.error());
}

Status sync_login(const std::string& state_home, const std::string& agent, bool tasks_run) {
  if (!login_is_shared(state_home, agent)) return {};
  auto s = Sync(state_home, agent).run(tasks_run);
  return s.ok() ? Status() : Status(std::move(s).error().during("login of " + agent));
}

Result<LoginTokens> read_login_tokens(const std::string& state_home, const std::string& agent) {
  if (!login_is_shared(state_home, agent)) return LoginTokens();
  auto tokens = Sync(state_home, agent).tokens();
  if (!tokens.ok()) return std::move(tokens).error().during("login of " + agent);
  return tokens;
}

Status keep_login_tokens(const std::string& state_home, const std::string& agent,
                         const std::map<std::string, Secret>& fresh) {
  auto s = Sync(state_home, agent).keep(fresh);
  if (s.ok()) return s;
  return std::move(s).error().during("keep new tokens of the login of " + agent);
}

Status place_login_link(const PresetLogin& login, const std::string& state_home,
                        const std::string& agent, const std::string& folders, bool shared) {
  const std::string path = folders + "/" + login.link;
  const std::string target = std::string(kLoginInside) + "/" + name_of_file(login);
  char text[512];
  const ssize_t n = readlink(path.c_str(), text, sizeof text);
  const int why = n < 0 ? errno : 0;
  const bool ours = n > 0 && target == std::string_view(text, static_cast<size_t>(n));
  if (ours && shared) return {};
  if (!ours && !shared) return {};  // what the agent keeps there by itself is its own
  if (shared && why == EINVAL) {    // a file of its own: the agent replaced the link
    const auto own = read_plain(path);
    if (own.ok() && shared_part(login, *own).ok())
      CODEXOS_TRY(put_file(login_files(state_home, agent) + "/" + name_of_file(login),
                           folder_of(state_home, agent), 0600, *own));
  }
  if (why != ENOENT && unlink(path.c_str()) != 0) return errno_error("unlink " + path, errno);
  if (shared && symlink(target.c_str(), path.c_str()) != 0)
    return errno_error("link " + path, errno);
  return {};
}

Status settle_login(const std::string& state_home, const std::string& agent,
                    const std::string& folders) {
  const auto share = load_share(state_home, agent);
  if (!share.ok()) return {};  // revoked meanwhile
  if (!share->login.link.empty())
    CODEXOS_TRY(place_login_link(share->login, state_home, agent, folders, true));
  return sync_login(state_home, agent);
}

wire::AgentLogin describe_login(const PresetLogin& login, const std::string& state_home,
                                const std::string& agent, const std::string& home) {
  wire::AgentLogin out;
  out.agent = agent;
  out.file = own_file(login, home);
  out.placeholders = !login.tokens.empty();
  const auto text = read_file(out.file, kMaxFile);
  const auto part = text.ok() ? shared_part(login, *text) : Result<Value>(text.error());
  out.state = "not shared";
  if (!text.ok()) {
    out.state = text.error().code == Code::not_found ? "not there" : "damaged";
    if (out.state == "damaged") out.detail = text.error().message;
  } else if (!part.ok()) {
    out.state = "damaged";
    out.detail = part.error().message;
  }
  const auto share = load_share(state_home, agent);
  if (!share.ok()) return out;
  out.state = "shared";
  out.file = share->file;
  out.detail = share->trouble;
  out.shared_at = format_time(share->shared_at_us);
  if (share->written_back_at_us != 0) out.written_back_at = format_time(share->written_back_at_us);
  return out;
}

}  // namespace codexos::daemon
