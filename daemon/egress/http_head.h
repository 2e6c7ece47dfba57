// SPDX-License-Identifier: Apache-2.0
// The head of a request of HTTP/1.x, taken apart, and who else may look at what a guard lets pass.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace codexos::daemon {

struct HttpField {
  std::string name;        // lower case
  std::string_view value;  // without the blanks around it
  std::string_view line;   // as it came, without its ending
};

struct RequestHead {
  std::string_view line;  // the request line
  std::string_view method, target, version;
  std::vector<HttpField> fields;

  size_t count(std::string_view name) const {
    return static_cast<size_t>(std::count_if(
        fields.begin(), fields.end(), [name](const HttpField& f) { return f.name == name; }));
  }
  std::string_view value(std::string_view name) const {
    for (const auto& f : fields)
      if (f.name == name) return f.value;
    return {};
  }
};

/// The path of a request's target, in both of its forms: without query, scheme and host.
inline std::string_view path_of_target(std::string_view target) {
  if (const size_t scheme = target.find("://");
      scheme != std::string_view::npos && target.substr(0, 1) != "/") {
    const size_t slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  return target.substr(0, target.find_first_of("?#"));
}

class RequestWatch {
 public:
  virtual ~RequestWatch() = default;
  /// A head that is let pass. Appends what is to be sent instead of it, with its empty line.
  virtual void on_head(const RequestHead& head, std::string& out) = 0;
  /// What is let pass behind heads: bodies, trailers, and all that follows an upgrade. Appends what
  /// is to be sent now.
  virtual void on_body(std::string_view bytes, std::string& out) = 0;
  /// Asked after a head: its body is wanted whole. Then on_body() gets neither what frames chunks
  /// nor trailers, and on_whole() comes at the end, also of an empty one.
  virtual bool takes_whole() const { return false; }
  virtual void on_whole(std::string& out) { (void)out; }
  /// Asked after on_whole(): nothing may follow until HttpGuard::go_on().
  virtual bool waits() const { return false; }
};

/// "a, b" has the token b; parameters do not count.
bool lists_token(std::string_view value, std::string_view wanted);

}  // namespace codexos::daemon
