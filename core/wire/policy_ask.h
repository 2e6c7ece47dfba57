// SPDX-License-Identifier: Apache-2.0
// What a request says about policies. The daemon alone reads the files: the caller tells which, and
// what its environment and its command line say.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/fields.h"

namespace codexos::wire {

struct PolicyAsk {
  std::string file;         // --policy, absolute
  std::string profile;      // --profile
  std::string config_home;  // XDG_CONFIG_HOME of the caller
  // Options that were given although their value is the default one ("--net none"): they come
  // before what files say.
  std::vector<std::string> given;
  std::map<std::string, std::string> settings;  // CODEXOS_* of the caller that are settings
  // Variables of the caller that a policy passes on. Which ones the caller learns from a refusal
  // (wire::Problem::pass); it then asks again with their values and says what it has looked for.
  std::map<std::string, std::string> env;
  std::vector<std::string> env_asked;
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("file", s.file, "path of a policy that is to be enforced");
    v("profile", s.profile, "name of a profile of the policy files");
    v("config_home", s.config_home, "XDG_CONFIG_HOME of the caller");
    v("given", s.given, "options that were given with their default value: net, seccomp, ...");
    v("settings", s.settings, "variables CODEXOS_* of the caller that are settings");
    v("env", s.env, "variables of the caller that a policy passes on");
    v("env_asked", s.env_asked,
      "names and patterns that were looked for in the caller's variables");
  }
};

}  // namespace codexos::wire
