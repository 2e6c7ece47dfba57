// SPDX-License-Identifier: Apache-2.0
// Policies on the wire: what `codexos policy` and `codexos trust` ask and are told.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/policy/resolve.h"
#include "core/wire/policy_ask.h"

namespace codexos::policy {

/// Which folder is meant, and what is asked of policies there.
struct PolicyQuery {
  std::string cwd;
  std::string workspace;                          // -w; empty: found from cwd
  std::map<std::string, std::string> caller_env;  // as TaskCreate's
  wire::PolicyAsk ask;
  std::vector<std::string> files;  // check: only these
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("cwd", s.cwd, "absolute working directory of the caller");
    v("workspace", s.workspace, "the folder that tasks work on; empty: found from cwd");
    v("caller_env", s.caller_env, "the caller's variables: HOME, PATH, ...");
    v("ask", s.ask, "what is asked of policies");
    v("files", s.files, "check: absolute paths; none: all files that count here");
  }
};

struct FileState {
  std::string path;
  std::string rank;   // system, user, project, given
  std::string state;  // in force, absent, not trusted, changed, wrong
  std::string problem;
  std::string hint;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("path", s.path, "the file");
    v("rank", s.rank, "system, user, project or given");
    v("state", s.state,
      "in force; absent; not trusted or changed: it only narrows; ignored: a given one takes its "
      "place; wrong");
    v("problem", s.problem, "what is wrong with it");
    v("hint", s.hint, "what helps");
  }
};

/// POST /v1/policy/show
struct PolicyView {
  std::string text;  // as a policy file
  Rights rights;
  std::vector<Source> sources;
  std::vector<std::string> notes;
  std::vector<std::string> widenings;
  std::vector<FileState> files;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("text", s.text, "all of it as a policy file");
    v("rights", s.rights, "what a task may do here");
    v("sources", s.sources, "who said what, of all that is not the default");
    v("notes", s.notes, "what was left out, and why");
    v("widenings", s.widenings, "what a project that is not trusted would widen");
    v("files", s.files, "the files that were looked for");
  }
};

struct PolicyProblem {
  std::string message;
  std::string hint;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("message", s.message, "file:line: field: what");
    v("hint", s.hint, "what helps");
  }
};
struct CheckedFile {
  std::string path;
  std::string rank;
  bool found = true;
  std::vector<PolicyProblem> problems;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("path", s.path, "the file");
    v("rank", s.rank, "as what it was read: system, user, project or given");
    v("found", s.found, "it is there");
    v("problems", s.problems, "none: it is right");
  }
};
/// POST /v1/policy/check
struct PolicyCheck {
  std::vector<CheckedFile> files;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("files", s.files, "what was checked");
  }
};

struct Answered {
  std::string question;  // reach, read, write, env, apply
  std::string about;
  Answer expect = Answer::yes;
  Answer answer = Answer::no;
  std::string why;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("question", s.question, "reach, read, write, env or apply");
    v("about", s.about, "what was asked about");
    v("expect", s.expect, "the answer that is expected");
    v("answer", s.answer, "the answer");
    v("why", s.why, "what decides it");
  }
};
struct TestBody {  // POST /v1/policy/test
  PolicyQuery query;
  std::vector<Case> cases;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("query", s.query, "where, and of which policy");
    v("cases", s.cases, "questions; none: those that the files bring along");
  }
};
struct TestReport {
  std::vector<Answered> cases;
  uint64_t failed = 0;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("cases", s.cases, "in their order");
    v("failed", s.failed, "how many have another answer than is expected");
  }
};

struct TrustBody {  // POST /v1/trust
  std::string dir;
  std::map<std::string, std::string> caller_env;
  std::string config_home;
  bool dry_run = false;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("dir", s.dir, "a folder of the project, absolute");
    v("caller_env", s.caller_env, "the caller's variables: HOME");
    v("config_home", s.config_home, "XDG_CONFIG_HOME of the caller");
    v("dry_run", s.dry_run, "only say what it would widen");
  }
};
struct Trusted {
  std::string path;
  std::string sha256;
  std::string state;                // trusted, changed, gone; of a dry run: not trusted
  std::vector<std::string> widens;  // "net: allow"
  std::string trusted_at;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("path", s.path, "the project's file");
    v("sha256", s.sha256, "of its content, as it was trusted");
    v("state", s.state, "trusted; changed or gone since; not trusted");
    v("widens", s.widens, "what it widens");
    v("trusted_at", s.trusted_at, "RFC 3339; empty: it is not trusted");
  }
};
struct TrustedList {
  std::vector<Trusted> projects;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("projects", s.projects, "by path");
  }
};

}  // namespace codexos::policy
