// SPDX-License-Identifier: Apache-2.0
#include "core/policy/never.h"

#include <algorithm>

#include "core/base/path.h"

namespace codexos {
namespace {

struct NeverRow {
  std::string_view paths;  // relative to HOME, separated by blanks
  const char* why;
};
constexpr NeverRow kNever[] = {
    {".ssh .gnupg .pki .password-store .local/share/keyrings .local/share/kwalletd .age "
     ".config/sops "
     ".config/op .config/1Password .config/Bitwarden .config/keepassxc .vault-token",
     "keys and keyrings"},
    {".aws .azure .config/gcloud .kube .docker .config/containers/auth.json .oci .config/doctl "
     ".config/hcloud .config/scw .config/heroku .fly .terraform.d .config/rclone .s3cfg .boto "
     ".config/openstack",
     "cloud accounts"},
    {".config/gh .config/hub .config/glab-cli .git-credentials .config/git/credentials .netrc "
     ".npmrc "
     ".yarnrc.yml .pypirc .config/pip/pip.conf .pip/pip.conf .cargo/credentials "
     ".cargo/credentials.toml .gem/credentials .bundle/config .composer/auth.json "
     ".config/composer/auth.json .m2/settings.xml .m2/settings-security.xml "
     ".gradle/gradle.properties .nuget/NuGet/NuGet.Config .config/configstore .config/netlify "
     ".local/share/com.vercel.cli .pgpass .my.cnf .mylogin.cnf",
     "tokens and passwords of registries, forges and databases"},
    {".mozilla .thunderbird .config/google-chrome .config/google-chrome-beta .config/chromium "
     ".config/BraveSoftware .config/microsoft-edge .config/vivaldi .config/opera .config/zen .zen "
     ".librewolf .cache/mozilla .cache/google-chrome .cache/chromium snap/firefox snap/chromium "
     ".var/app/org.mozilla.firefox .var/app/com.google.Chrome .var/app/org.chromium.Chromium "
     ".config/Signal .config/Slack .config/discord .local/share/TelegramDesktop",
     "browsers and messengers: sessions and cookies"},
    {".bash_history .zsh_history .zhistory .histfile .sh_history .ash_history .history "
     ".local/share/fish/fish_history .python_history .ipython/profile_default/history.sqlite "
     ".node_repl_history .psql_history .mysql_history .sqlite_history .rediscli_history "
     ".irb_history "
     ".lesshst .viminfo .local/share/atuin .local/share/zoxide .local/share/recently-used.xbel",
     "what the user typed"},
};

}  // namespace

std::vector<std::string> never_shown(const Caller& c) {
  std::vector<std::string> out;
  for (const auto& home : {c.home, c.passwd_home}) {
    if (home.empty() || home[0] != '/') continue;
    for (const auto& row : kNever)
      for (std::string_view rest = row.paths; !rest.empty();) {
        const size_t blank = std::min(rest.find(' '), rest.size());
        out.push_back(join_path(home, rest.substr(0, blank)));
        rest.remove_prefix(std::min(blank + 1, rest.size()));
      }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace codexos
