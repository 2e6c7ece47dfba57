// SPDX-License-Identifier: Apache-2.0
// git over https signs in with placeholders: a file of git-config(1) that answers for the hosts of
// a secret with its placeholder, by credential helpers of shell (gitcredentials(7)), so that nobody
// is asked and no program has to be there. Other hosts are not named in it. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/wire/secret.h"

namespace codexos::daemon {

/// Below HOME. Not ~/.gitconfig, which holds who commits, and which `git config --global` changes.
inline constexpr const char* kGitLoginsFile = ".config/git/config";
/// Who git says that it is, where neither URL nor configuration name one: GitHub's for tokens;
/// GitLab, Gitea and Azure DevOps take any.
inline constexpr const char* kGitLoginName = "x-access-token";

struct GitLogin {
  std::string placeholder;
  wire::SecretBinding binding;
};

/// Whether git could use a secret that is bound so: it sends Authorization, by GET and by POST.
bool is_for_git(const wire::SecretBinding& binding);

/// Empty: none of them says anything to git. Of two for one URL the first counts, and of URLs that
/// fit the longer one. Left out: names further below `*.HOST` than four, `*` and long ranges of
/// ports but for 443, since a URL of git-config(1) cannot say them. Error invalid: a rule is wrong.
Result<std::string> git_logins_config(const std::vector<GitLogin>& logins);

}  // namespace codexos::daemon
