// SPDX-License-Identifier: Apache-2.0
#include "core/os/place.h"

#include <algorithm>
#include <charconv>

#include "core/os/file.h"

namespace codexos {
namespace {

constexpr size_t kMaxPasswd = 16 << 20;

/// Cuts the next part before `separator` off `rest`.
std::string_view cut(std::string_view& rest, char separator) {
  const size_t at = rest.find(separator);
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return part;
}

/// passwd(5): name:password:uid:gid:gecos:home:shell. The first line of the uid counts, as for
/// getpwuid(3).
std::string field_of_uid(std::string_view text, uid_t uid, size_t field) {
  while (!text.empty()) {
    std::string_view line = cut(text, '\n');
    if (std::count(line.begin(), line.end(), ':') < 5) continue;  // damaged
    std::string_view fields[7];
    for (auto& f : fields) f = cut(line, ':');
    uid_t n = 0;
    const char* end = fields[2].data() + fields[2].size();
    const auto [stop, err] = std::from_chars(fields[2].data(), end, n);
    if (err != std::errc() || stop != end || n != uid) continue;
    return std::string(fields[field]);
  }
  return {};
}

bool given(const char* s) { return s != nullptr && *s != '\0'; }

Place place_at(std::string home) {
  while (home.size() > 1 && home.back() == '/') home.pop_back();
  std::string socket = (home == "/" ? "" : home) + kSocketBelowState;
  return Place{std::move(home), std::move(socket)};
}

}  // namespace

std::string home_of_uid(std::string_view passwd_text, uid_t uid) {
  return field_of_uid(passwd_text, uid, 5);
}

std::string name_of_uid(std::string_view passwd_text, uid_t uid) {
  return field_of_uid(passwd_text, uid, 0);
}

Result<Place> find_place(uid_t uid, const char* codexos_home, const char* home_env) {
  if (given(codexos_home)) {
    if (*codexos_home == '/') return place_at(codexos_home);
    return Error{Code::invalid,
                 std::string("CODEXOS_HOME is not an absolute path: ") + codexos_home,
                 "set it to a path that begins with /"};
  }
  if (uid == 0) return place_at(kStateOfRoot);
  std::string home;
  if (const auto passwd = read_file("/etc/passwd", kMaxPasswd); passwd.ok())
    home = home_of_uid(*passwd, uid);
  if (home.empty() && given(home_env)) home = home_env;
  if (home.empty() || home.front() != '/')
    return Error{Code::invalid,
                 "no home folder for uid " + std::to_string(uid) +
                     ": neither /etc/passwd nor HOME names one",
                 "set CODEXOS_HOME to a folder for the state"};
  return place_at(home + kStateBelowHome);
}

}  // namespace codexos
