// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/injector.h"

#include <cstdlib>
#include <utility>

#include "core/base/text.h"
#include "core/http/http.h"
#include "core/json/json.h"

namespace codexos::daemon {
namespace {

constexpr std::string_view kBasic = "basic ";
constexpr size_t kMaxNameTold = 64;
constexpr size_t kLengthDigits = 5;
constexpr size_t kMaxExchange = 64 << 10;  // of a request for tokens

/// Fields that would let the answer be compressed. (WebSocket: permessage-deflate, RFC 7692.)
constexpr std::string_view kCompressing[] = {"accept-encoding", "te", "sec-websocket-extensions"};

bool compresses(const HttpField& f) {
  return std::find(std::begin(kCompressing), std::end(kCompressing), f.name) !=
         std::end(kCompressing);
}

bool may_stand_in_header(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
}

/// As it stands between the quotes of a JSON text.
std::string in_json(const std::string& text) {
  const std::string quoted = json::dump(json::Value(text));
  return quoted.substr(1, quoted.size() - 2);
}

bool replace_in_basic(std::string& value, const Injection& i, std::string_view with) {
  if (to_lower(value.substr(0, kBasic.size())) != kBasic) return false;
  const size_t begin = value.find_first_not_of(' ', kBasic.size());
  if (begin == std::string::npos) return false;
  auto plain = from_base64(value.substr(begin));
  if (!plain.ok() || !replace_placeholder(*plain, i.placeholder, i.whole_word, with)) return false;
  value = value.substr(0, begin) + to_base64(*plain);
  wipe(*plain);
  return true;
}

}  // namespace

bool is_below_path(std::string_view target, std::string_view prefix) {
  if (prefix.empty()) return true;
  if (const size_t scheme = target.find("://");
      scheme != std::string_view::npos && target.front() != '/') {
    const size_t slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  const std::string path = to_lower(target.substr(0, target.find_first_of("?#")));
  static constexpr std::string_view kDoubtful[] = {"//",  "/./", "/../", "\\", "%2e",
                                                   "%2f", "%5c", "%25",  ";"};
  for (const auto text : kDoubtful)
    if (path.find(text) != std::string::npos) return false;
  const auto ends = [&path](std::string_view end) {
    return path.size() >= end.size() &&
           path.compare(path.size() - end.size(), end.size(), end) == 0;
  };
  if (ends("/.") || ends("/..")) return false;
  if (target.substr(0, prefix.size()) != prefix) return false;
  return path.size() == prefix.size() || prefix.back() == '/' || path[prefix.size()] == '/';
}

Injector::Injector(InjectionSetPtr set, Place place, Tell tell)
    : set_(std::move(set)), place_(std::move(place)), tell_(std::move(tell)) {
  if (set_)
    body_.emplace(set_->placeholders(), [this](uint32_t secret) {
      tell_("misplaced", secret, "behind the head of a request");
    });
}

/// Empty: it may be put in.
std::string Injector::why_not(uint32_t n, const RequestHead& head, const HttpField& field) const {
  const Injection& i = set_->all()[n];
  if (!place_.tls) return "not in TLS";
  if (match_name(i.hosts, place_.name, place_.port) == nullptr)
    return "it is not bound to this host and port";
  if (field.name != i.header) return "it is bound to header " + i.header;
  if (head.count(field.name) > 1) return "the header is there twice";
  if (head.count("host") == 0) return "the request names no host";
  if (!i.methods.empty() &&
      std::find(i.methods.begin(), i.methods.end(), head.method) == i.methods.end())
    return "it is not bound to this method";
  if (!is_below_path(head.target, i.path_prefix)) return "it is not bound to this path";
  if (!may_stand_in_header(values_->all[n].view())) return "its value is not one line of text";
  return {};
}

/// True: something was put in; `line` is the new one, `done` whose values are in it.
bool Injector::put_in(const RequestHead& head, const HttpField& field, std::string& line,
                      std::set<uint32_t>& done) {
  std::string value(field.value);
  for (uint32_t n = 0; n < set_->all().size(); ++n) {
    const Injection& i = set_->all()[n];
    if (field.name != i.header || !why_not(n, head, field).empty()) continue;
    const std::string_view with = values_->all[n].view();
    if (replace_placeholder(value, i.placeholder, i.whole_word, with) ||
        replace_in_basic(value, i, with))
      done.insert(n);
  }
  if (done.empty()) return false;
  line = std::string(field.line.substr(0, field.name.size())) + ": " + value;
  wipe(value);
  return true;
}

/// `field`: null for the request line.
void Injector::look_at_line(std::string_view line, const std::set<uint32_t>& done,
                            const RequestHead& head, const HttpField* field) {
  Redactor::Stream look(set_->placeholders(), [&](uint32_t secret) {
    if (done.count(secret) != 0) return;
    if (field == nullptr) return tell_("misplaced", secret, "in a URL");
    tell_(
        "misplaced", secret,
        "in header " + field->name.substr(0, kMaxNameTold) + ": " + why_not(secret, head, *field));
  });
  look.look(line);
}

void Injector::on_head(const RequestHead& head, std::string& out) {
  AskedRequest asked;
  asked.head = head.method == "HEAD";
  asked.upgrade = head.count("upgrade") != 0;
  if (set_) values_ = set_->values();
  std::vector<std::string> lines;
  for (const HttpField& f : head.fields) {
    std::string line(f.line);
    std::set<uint32_t> done;
    if (set_ && put_in(head, f, line, done)) {
      asked.with_value = true;
      for (const uint32_t n : done) tell_("used", n, "in header " + f.name);
    }
    if (set_) look_at_line(f.line, done, head, &f);
    lines.push_back(std::move(line));
  }
  if (set_) look_at_line(head.line, {}, head, nullptr);
  if (hold(head, asked, lines)) return;
  out.append(head.line).append("\r\n");
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!asked.with_value || !compresses(head.fields[i])) out.append(lines[i]).append("\r\n");
    wipe(lines[i]);
  }
  if (asked.with_value) out += "Accept-Encoding: identity\r\n";
  out += "\r\n";
  if (place_.tls) asked_.push_back(asked);  // else nobody follows the answers
}

// ---- exchanges of tokens ------------------------------------------------------------------------

/// True: it goes on when its body is there.
bool Injector::hold(const RequestHead& head, AskedRequest asked,
                    const std::vector<std::string>& lines) {
  if (!set_ || !place_.tls || head.method != "POST") return false;
  asked.exchange = find_exchange(*set_, place_.name, place_.port, head.target);
  const std::string length(head.value("content-length"));
  const bool plain = head.count("content-encoding") == 0 && head.count("content-length") == 1;
  // What is longer, or in chunks, is no request of that kind: its placeholders stay.
  if (asked.exchange < 0 || !plain || length.size() > kLengthDigits) return false;
  Held held;
  held.asked = asked;
  held.left = std::strtoul(length.c_str(), nullptr, 10);  // the guard has read it as a number
  if (held.left == 0 || held.left > kMaxExchange) return false;
  held.form = to_lower(head.value("content-type")).find("json") == std::string::npos;
  held.head.append(head.line).append("\r\n");
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& name = head.fields[i].name;
    if (name == "content-length" || name == "expect" || compresses(head.fields[i])) continue;
    held.head.append(lines[i]).append("\r\n");
  }
  held_ = std::move(held);
  return true;
}

/// The whole request, with the value in its body.
void Injector::release(std::string& out) {
  Held held = *std::exchange(held_, std::nullopt);
  const uint32_t n = set_->exchanges()[static_cast<size_t>(held.asked.exchange)].sends;
  const Injection& i = set_->all()[n];
  const std::string text(values_->all[n].view());
  std::string with = held.form ? http::percent_encode(text) : in_json(text);
  if (replace_placeholder(held.body, i.placeholder, i.whole_word, with)) {
    held.asked.with_value = true;
    tell_("used", n, "in a body");
  } else {
    held.asked.exchange = -1;
  }
  wipe(with);
  if (body_) body_->look(held.body);
  out += held.head +
         "Accept-Encoding: identity\r\nContent-Length: " + std::to_string(held.body.size()) +
         "\r\n\r\n" + held.body;
  wipe(held.head);
  wipe(held.body);
  asked_.push_back(held.asked);
}

void Injector::on_body(std::string_view bytes, std::string& out) {
  if (!held_) {
    if (body_) body_->look(bytes);
    out.append(bytes);
    return;
  }
  held_->body.append(bytes);
  held_->left -= bytes.size();  // the guard counts as we do
  if (held_->left == 0) release(out);
}

}  // namespace codexos::daemon
