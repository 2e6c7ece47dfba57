// SPDX-License-Identifier: Apache-2.0
#include "daemon/egress/injector.h"

#include <algorithm>
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
constexpr size_t kMaxExchange = 64 << 10;      // of a request for tokens
constexpr size_t kMaxModelRequest = 32 << 20;  // to a model

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
  const std::string_view as_sent = path_of_target(target);
  const std::string path = to_lower(as_sent);
  static constexpr std::string_view kDoubtful[] = {"//",  "/./", "/../", "\\", "%2e",
                                                   "%2f", "%5c", "%25",  ";"};
  for (const auto text : kDoubtful)
    if (path.find(text) != std::string::npos) return false;
  const auto ends = [&path](std::string_view end) {
    return path.size() >= end.size() &&
           path.compare(path.size() - end.size(), end.size(), end) == 0;
  };
  if (ends("/.") || ends("/..")) return false;
  if (as_sent.substr(0, prefix.size()) != prefix) return false;
  return path.size() == prefix.size() || prefix.back() == '/' || path[prefix.size()] == '/';
}

Injector::Injector(InjectionSetPtr set, Place place, Tell tell)
    : set_(std::move(set)), place_(std::move(place)), tell_(std::move(tell)) {
  const auto here = [this](const Injection& i) {
    return i.credential != Credential::secret &&
           match_name(i.hosts, place_.name, place_.port) != nullptr;
  };
  if (set_) of_models_ = std::any_of(set_->all().begin(), set_->all().end(), here);
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
  credential_.reset();
  std::vector<std::string> lines;
  for (const HttpField& f : head.fields) {
    std::string line(f.line);
    std::set<uint32_t> done;
    if (set_ && put_in(head, f, line, done)) {
      asked.with_value = true;
      for (const uint32_t n : done) {
        const Credential of = set_->all()[n].credential;
        credential_ = credential_.value_or(of) == of ? of : Credential::key;
        tell_("used", n, "in header " + f.name);
      }
    }
    if (set_) look_at_line(f.line, done, head, &f);
    lines.push_back(std::move(line));
  }
  if (set_) look_at_line(head.line, {}, head, nullptr);
  if (smuggles(head))
    refused_ = "a body with " + std::string(head.method) + ", to a host of models";
  if (!refused_.empty() || hold(head, asked, lines) || !refused_.empty()) {
    for (std::string& line : lines) wipe(line);
    return;
  }
  out.append(head.line).append("\r\n");
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!asked.with_value || !compresses(head.fields[i])) out.append(lines[i]).append("\r\n");
    wipe(lines[i]);
  }
  if (asked.with_value) out += "Accept-Encoding: identity\r\n";
  out += "\r\n";
  if (place_.tls) asked_.push_back(asked);  // else nobody follows the answers
}

// ---- requests that are held --------------------------------------------------------------------

/// Some servers take the body of such a request for the next request, which then is another one
/// than we see.
bool Injector::smuggles(const RequestHead& head) const {
  if (!set_ || !place_.tls || !place_.metering.find) return false;
  const bool bodiless = head.method == "GET" || head.method == "HEAD" || head.method == "OPTIONS";
  const std::string_view length = head.value("content-length");
  const bool has_body = head.count("transfer-encoding") != 0 || (!length.empty() && length != "0");
  if (!bodiless || !has_body) return false;
  if (of_models_) return true;
  const auto metering = place_.metering.find();
  return metering.ok() && (*metering)->serves_models(place_.name, place_.port);
}

bool Injector::is_exchange(const RequestHead& head, AskedRequest& asked) const {
  if (head.method != "POST") return false;
  const int exchange = find_exchange(*set_, place_.name, place_.port, head.target);
  const std::string length(head.value("content-length"));
  const bool plain = head.count("content-encoding") == 0 && head.count("content-length") == 1;
  // What is longer, or in chunks, is no request of that kind: its placeholders stay.
  if (exchange < 0 || !plain || length.size() > kLengthDigits) return false;
  const size_t size = std::strtoul(length.c_str(), nullptr, 10);  // the guard has read a number
  if (size == 0 || size > kMaxExchange) return false;
  asked.exchange = exchange;
  return true;
}

/// Where it may use a model, or nobody can tell, which is refused.
void Injector::begin_metered(const RequestHead& head, AskedRequest& asked,
                             const std::shared_ptr<HeldRoom>& room) {
  if (!asked.with_value || !place_.metering.find) return;
  OwnRequest r;
  r.task = place_.metering.task;
  r.host = place_.name;
  r.port = place_.port;
  r.method = std::string(head.method);
  // Whoever has a body, or asks for another method, may be served as one that has been posted.
  static constexpr std::string_view kPosts[] = {
      "content-length", "transfer-encoding", "x-http-method-override", "x-method-override",
      "x-http-method",  "x-original-url",    "x-rewrite-url"};
  const auto posts = [&head](std::string_view name) {
    return head.count(name) != 0 && (name != "content-length" || head.value(name) != "0");
  };
  const bool by_query = head.target.find("_method=") != std::string_view::npos;
  if (by_query || std::any_of(std::begin(kPosts), std::end(kPosts), posts)) r.method = "POST";
  r.target = std::string(head.target);
  r.encoding = std::string(head.value("content-encoding"));
  r.upgrade = asked.upgrade;
  r.credential = credential_.value_or(Credential::secret);
  r.room = room;
  const auto metering = place_.metering.find();
  auto call = metering.ok() ? (*metering)->begin(r) : metering.error();
  if (call.ok())
    asked.metered = *std::move(call);
  else
    refused_ = "what it uses of models cannot be counted: " + call.error().message;
}

/// True: it goes on when its body is there.
bool Injector::hold(const RequestHead& head, AskedRequest asked,
                    const std::vector<std::string>& lines) {
  if (!set_ || !place_.tls) return false;
  Held held;
  held.room = std::make_shared<HeldRoom>(place_.metering.held);
  const bool exchange = is_exchange(head, asked);
  if (!exchange) begin_metered(head, asked, held.room);
  if (!exchange && !asked.metered) return false;
  if (asked.upgrade) {
    refused_ = "requests to models are counted here, which an upgrade to " +
               std::string(head.value("upgrade")) + " would hide";
    return false;
  }
  expects_continue_ = to_lower(head.value("expect")) == "100-continue";
  held.asked = std::move(asked);
  held.form = to_lower(head.value("content-type")).find("json") == std::string::npos;
  held.head.append(head.line).append("\r\n");
  static constexpr std::string_view kNewly[] = {"content-length", "transfer-encoding", "trailer",
                                                "expect"};
  for (size_t i = 0; i < lines.size(); ++i) {
    const HttpField& f = head.fields[i];
    if (compresses(f) ||
        std::find(std::begin(kNewly), std::end(kNewly), f.name) != std::end(kNewly))
      continue;
    std::string& to = f.name == "content-encoding" ? held.coding : held.head;
    to.append(lines[i]).append("\r\n");
  }
  held_ = std::move(held);
  return true;
}

/// As it is now.
void Injector::send_held(std::string& out) {
  Held held = *std::exchange(held_, std::nullopt);
  out += held.head + held.coding +
         "Accept-Encoding: identity\r\nContent-Length: " + std::to_string(held.body.size()) +
         "\r\n\r\n" + held.body;
  wipe(held.head);
  wipe(held.body);
  asked_.push_back(std::move(held.asked));
}

/// With the value in its body.
void Injector::release_exchange(std::string& out) {
  const uint32_t n = set_->exchanges()[static_cast<size_t>(held_->asked.exchange)].sends;
  const Injection& i = set_->all()[n];
  const std::string text(values_->all[n].view());
  std::string with = held_->form ? http::percent_encode(text) : in_json(text);
  if (replace_placeholder(held_->body, i.placeholder, i.whole_word, with)) {
    held_->asked.with_value = true;
    tell_("used", n, "in a body");
  } else {
    held_->asked.exchange = -1;
  }
  wipe(with);
  if (body_) body_->look(held_->body);
  send_held(out);
}

void Injector::on_body(std::string_view bytes, std::string& out) {
  if (!held_) {
    if (body_) body_->look(bytes);
    out.append(bytes);
    return;
  }
  if (held_->too_large) return;
  held_->too_large =
      held_->body.size() + bytes.size() > kMaxModelRequest || !held_->room->take(bytes.size());
  if (held_->too_large)
    wipe(held_->body);
  else
    held_->body.append(bytes);
}

void Injector::on_whole(std::string& out) {
  if (held_->too_large) {
    refused_ = "a request to a model of more than 32 MiB, or too many that wait";
    wipe(held_->head);
    return held_.reset();
  }
  if (!held_->asked.metered) return release_exchange(out);
  if (body_) body_->look(held_->body);
  held_->waits = true;
  held_->room.reset();  // the call has it, for as long as it has the body
  held_->asked.metered->ask(std::exchange(held_->body, {}), place_.wake);
}

std::optional<Leave> Injector::take_leave(std::string& out) {
  if (!waits()) return std::nullopt;
  auto leave = held_->asked.metered->take_leave();
  if (!leave) return leave;
  if (leave->granted) {
    held_->body = std::move(leave->body);
    if (leave->plain) held_->coding.clear();
    send_held(out);
  } else {
    wipe(held_->head);
    held_.reset();
  }
  return leave;
}

}  // namespace codexos::daemon
