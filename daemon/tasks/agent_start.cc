// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/agent_start.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/hash.h"
#include "core/base/path.h"
#include "core/base/redactor.h"
#include "core/os/file.h"
#include "daemon/agents/login.h"

namespace codexos::daemon {
namespace {

// One argument is at most 32 pages (execve(2), MAX_ARG_STRLEN).
constexpr size_t kMaxPrompt = 128 * 1024 - 1;
constexpr size_t kMaxIndex = 64 << 20;

Result<Mount> bind_folder(const std::string& source, const std::string& target) {
  struct stat st {};
  if (stat(source.c_str(), &st) != 0) return errno_error("stat " + source, errno);
  Mount m;
  m.kind = MountKind::bind;
  m.role = MountRole::agent;
  m.source = source;
  m.target = target;
  m.dev = st.st_dev;
  m.ino = st.st_ino;
  return m;
}

/// Only where there is nothing yet: what the agent wrote stays.
Status write_seed(const std::string& path, const std::string& text) {
  CODEXOS_TRY(make_dirs(parent_path(path), 0700));
  const auto fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (!fd.ok()) return fd.error().code == Code::conflict ? Status() : Status(fd.error());
  return write_all(fd->get(), text);
}

const std::vector<std::string>& command_of(const Preset& p, wire::AgentUse use, bool resumed) {
  if (use == wire::AgentUse::version) return p.version;
  if (use == wire::AgentUse::interactive) return p.interactive;
  return resumed ? p.resume : p.job;
}

Status check_use(const Preset& p, const wire::TaskCreate& c) {
  if (c.agent_use == wire::AgentUse::job && c.prompt.empty())
    return Error{Code::invalid, "no job is given to " + p.name,
                 "codexos run -a " + p.name + " \"JOB\", or -t for a conversation"};
  if (c.agent_use != wire::AgentUse::job && command_of(p, c.agent_use, false).empty())
    return Error{Code::invalid,
                 "the preset of " + p.name + " has no command for \"" +
                     std::string(name_of(c.agent_use)) + "\"",
                 {}};
  if (c.prompt.size() > kMaxPrompt)
    return Error{Code::invalid, "the job is longer than 128 KiB",
                 "write it to a file of the workspace, and name that"};
  return {};
}

std::string no_login_note(const Preset& p) {
  if (p.keys.empty() && !p.login) return {};
  std::string out = p.name + " has neither a key nor a login here";
  if (!p.keys.empty()) out += " · -e " + p.keys.front();
  if (p.login) out += " · codexos agent login-share " + p.name;
  return out;
}

/// Keeps the session where it belongs: the task that is started from, else the last one here.
std::string session_of(const Preset& p, const AgentPlace& place) {
  for (const TaskRow* row : {place.from, place.earlier})
    if (row != nullptr && row->task.agent && row->task.agent->name == p.name &&
        !row->task.agent->session.empty())
      return row->task.agent->session;
  return {};
}

class Adder {
 public:
  Adder(const FoundAgent& agent, const wire::TaskCreate& create, const AgentPlace& place)
      : p_(agent.preset), program_(agent.program.path), create_(create), place_(place) {}

  Result<AgentParts> run() {
    CODEXOS_TRY(check_use(p_, create_));
    make_record();
    if (create_.agent_use != wire::AgentUse::version) {
      if (!place_.workspace.empty()) CODEXOS_TRY(add_folders());
      CODEXOS_TRY(add_login());
    }
    for (const auto& [name, value] : p_.env) out_.env[name] = fill_text(value, blanks_);
    out_.argv = fill_argv(command_of(p_, create_.agent_use, out_.record.continued), blanks_);
    return std::move(out_);
  }

 private:
  void make_record() {
    auto& r = out_.record;
    r.name = p_.name;
    r.preset = p_.source;
    r.program = program_;
    r.use = create_.agent_use;
    r.prompt = create_.prompt;
    r.inner_sandbox = name_of(p_.inner_sandbox);
    if (r.use == wire::AgentUse::job) {
      r.events = p_.events;
      if (!p_.resume.empty()) r.session = session_of(p_, place_);
      r.continued = !r.session.empty();
    }
    blanks_ = Blanks{program_, create_.prompt, r.session, place_.home, kLoginInside, create_.extra};
  }

  Status add_folders() {
    const std::string dir = agent_folder(place_.state_home, place_.workspace, p_.name);
    for (const auto& folder : p_.folders) {
      const std::string source = dir + "/" + folder;
      CODEXOS_TRY(make_dirs(source, 0700));
      CODEXOS_ASSIGN(Mount m, bind_folder(source, join_path(place_.home, folder)));
      out_.mounts.push_back(std::move(m));
    }
    for (const auto& [path, text] : p_.seed) CODEXOS_TRY(write_seed(dir + "/" + path, text));
    folders_ = dir;
    return {};
  }

  Status add_login() {
    const std::string& key = place_.key;
    const bool shared = p_.login && key.empty() && login_is_shared(place_.state_home, p_.name);
    if (p_.login && !folders_.empty() && !p_.login->link.empty())
      CODEXOS_TRY(place_login_link(*p_.login, place_.state_home, p_.name, folders_, shared));
    if (shared) {
      // Without a workspace there is no folder for a link, so nothing to share it by.
      if (!p_.login->link.empty() && folders_.empty()) return {};
      if (create_.net == wire::Network::host && !p_.login->tokens.empty())
        return Error{Code::invalid,
                     "the shared login of " + p_.name +
                         " needs the egress, which puts its tokens in: --net host has none",
                     "without --net host, or with a key" +
                         (p_.keys.empty() ? std::string() : ": -e " + p_.keys.front())};
      CODEXOS_TRY(sync_login(place_.state_home, p_.name));
      CODEXOS_ASSIGN(Mount m, bind_folder(login_files(place_.state_home, p_.name), kLoginInside));
      out_.mounts.push_back(std::move(m));
      for (const auto& [name, value] : p_.login->env) out_.env[name] = fill_text(value, blanks_);
    }
    out_.record.auth = !key.empty() ? "key " + key : shared ? "login" : "none";
    out_.record.placeholders = shared ? !p_.login->tokens.empty() : place_.placeholders;
    if (key.empty() && !shared) out_.on_failure = no_login_note(p_);
    return check_budget();
  }

  /// What is given as it is goes where nobody counts.
  Status check_budget() {
    const auto& b = create_.budget;
    if (b.max_tokens == 0 && b.max_cost_micros == 0 && b.max_requests == 0) return {};
    const auto& r = out_.record;
    // What is shorter than this is no key, only something where one has to be.
    const auto bare = std::find_if(p_.keys.begin(), p_.keys.end(), [this](const std::string& k) {
      const auto at = create_.env.find(k);
      return at != create_.env.end() && at->second.size() >= kMinRedacted;
    });
    const bool bare_login = r.auth == "login" && !r.placeholders;
    if (bare != p_.keys.end() || bare_login)
      return Error{Code::invalid,
                   "a budget is given, and what " + p_.name + " uses cannot be counted: " +
                       (bare_login ? "its login" : *bare) + " is in the task as it is",
                   "without --net host and --key-for any; or the model gateway: --models"};
    if (r.auth == "login" && b.max_cost_micros != 0)
      out_.notes.push_back("a login has no price, so --max-cost stops nothing: --max-tokens does");
    return {};
  }

  const Preset& p_;
  const std::string program_;
  const wire::TaskCreate& create_;
  const AgentPlace& place_;
  AgentParts out_;
  Blanks blanks_;
  std::string folders_;
};

}  // namespace

std::string key_of(const Preset& p, const std::map<std::string, std::string>& env) {
  for (const auto& name : p.keys)
    if (const auto at = env.find(name); at != env.end() && !at->second.empty()) return name;
  return {};
}

std::string agent_folder(const std::string& state_home, const std::string& workspace,
                         const std::string& agent) {
  return state_home + "/agents/" + to_hex(fnv1a(workspace)) + "/" + agent;
}

Result<FoundAgent> find_agent(const wire::TaskCreate& create, const Caller& caller,
                              const std::string& config_home, const Host& host) {
  if (create.agent.empty())
    return Error{Code::invalid, "no agent is configured",
                 "codexos run -a AGENT \"JOB\", or set CODEXOS_AGENT: codexos agent list"};
  FoundAgent out;
  CODEXOS_ASSIGN(out.preset, load_preset(create.agent, preset_folder(config_home, caller.home)));
  out.program = find_program(out.preset, caller, host);
  if (!out.program.path.empty()) return out;
  return Error{Code::not_found,
               "agent " + out.preset.name + ": its program " + out.preset.program +
                   " is neither on PATH nor where it is usually installed",
               "codexos agent show " + out.preset.name};
}

Result<AgentParts> add_agent(const FoundAgent& agent, const wire::TaskCreate& create,
                             const AgentPlace& place) {
  return Adder(agent, create, place).run();
}

std::vector<Mount> cover_env_files(const std::string& workspace,
                                   const std::vector<std::string>& show, const Host& host,
                                   std::vector<std::string>& notes) {
  std::vector<Mount> out;
  const EnvFiles found = find_env_files(workspace, host);
  if (!found.complete)
    notes.push_back(
        "the workspace is too large to be looked through for .env files: some may be "
        "readable");
  std::string index;
  if (!found.paths.empty())
    if (auto text = read_file(workspace + "/.git/index", kMaxIndex); text.ok())
      index = *std::move(text);
  for (const auto& path : found.paths) {
    // What git has is no secret, and a commit inside would empty it.
    if (in_git_index(index, path.substr(workspace.size() + 1))) continue;
    const bool shown = std::any_of(show.begin(), show.end(), [&](const std::string& s) {
      return s == path || s.rfind(path + ":", 0) == 0;
    });
    if (shown) continue;
    Mount m;
    m.kind = MountKind::hide;
    m.role = MountRole::hidden;
    m.target = path;
    m.read_only = true;
    out.push_back(std::move(m));
  }
  return out;
}

}  // namespace codexos::daemon
