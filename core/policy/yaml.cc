// SPDX-License-Identifier: Apache-2.0
#include "core/policy/yaml.h"

#include <yaml-cpp/emitter.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <vector>

#include "core/base/text.h"

namespace codexos::yaml {
namespace {

using json::Value;

/// Thrown through yaml-cpp's parser, which knows no other way to stop; caught in parse().
struct Refused {
  int line;
  std::string message;
  std::string hint;
};

template <class T>
bool whole_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

/// YAML 1.2, 10.3.2, without octal and hexadecimal numbers: those are text.
Value plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true" || text == "false") return text == "true";
  const bool numeric = text.find_first_not_of("+-.0123456789eE") == std::string::npos &&
                       text.find_first_of("0123456789") != std::string::npos;
  if (!numeric) return text;
  if (uint64_t n = 0; whole_number(text, n)) return n;
  if (int64_t n = 0; whole_number(text, n)) return n;
  if (double d = 0; whole_number(text, d)) return d;
  return text;
}

/// yaml-cpp's loader keeps the first of two equal keys and follows aliases in circles, so the value
/// is built from its events.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(Document& out) : out_(out) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (began_) throw Refused{mark.line + 1, "a second document begins here", {}};
    began_ = true;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(mark, "", anchor);
    add(mark, nullptr);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_anchor(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    check(mark, tag, anchor);
    if (!open_.empty() && open_.back().value->is_object() && !open_.back().has_key)
      return take_key(mark, text);
    add(mark, tag == "?" || tag.empty() ? plain_scalar(text) : Value(text));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check(mark, tag, anchor);
    enter(mark, Value::array());
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check(mark, tag, anchor);
    enter(mark, Value::object());
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Open {
    Value* value;  // stays good: a parent grows only after its last child is closed
    std::string path;
    std::string key;
    bool has_key = false;
  };

  [[noreturn]] static void refuse_anchor(const YAML::Mark& mark) {
    throw Refused{mark.line + 1, "anchors and aliases are not allowed", "write it out"};
  }
  static void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) refuse_anchor(mark);
    if (!tag.empty() && tag != "?" && tag != "!")
      throw Refused{mark.line + 1, "tags are not allowed: " + tag, {}};
  }

  void take_key(const YAML::Mark& mark, const std::string& key) {
    Open& o = open_.back();
    if (key == "<<") throw Refused{mark.line + 1, "merge keys are not allowed", "write it out"};
    if (!is_utf8(key)) throw Refused{mark.line + 1, "a key is not UTF-8", {}};
    if (o.value->size() == kMaxKeys)
      throw Refused{mark.line + 1, "more than " + std::to_string(kMaxKeys) + " keys", {}};
    if (o.value->contains(key)) {
      const std::string path = o.path.empty() ? key : o.path + "." + key;
      throw Refused{mark.line + 1,
                    "\"" + key + "\" stands here twice (first in line " +
                        std::to_string(out_.lines[path]) + ")",
                    {}};
    }
    o.key = key;
    o.has_key = true;
  }

  std::string next_path() const {
    if (open_.empty()) return {};
    const Open& o = open_.back();
    if (o.value->is_array()) return o.path + "[" + std::to_string(o.value->size()) + "]";
    return o.path.empty() ? o.key : o.path + "." + o.key;
  }

  Value* add(const YAML::Mark& mark, Value&& x) {
    if (x.is_string() && !is_utf8(x.get_ref<const std::string&>()))
      throw Refused{mark.line + 1, "this is not UTF-8", {}};
    const std::string path = next_path();
    out_.lines[path] = mark.line + 1;
    if (open_.empty()) {
      out_.value = std::move(x);
      return &out_.value;
    }
    Open& o = open_.back();
    if (o.value->is_array()) {
      o.value->push_back(std::move(x));
      return &o.value->back();
    }
    if (!o.has_key) throw Refused{mark.line + 1, "a key must be text", {}};
    o.has_key = false;
    return &((*o.value)[o.key] = std::move(x));
  }

  void enter(const YAML::Mark& mark, Value&& container) {
    if (open_.size() == kMaxDepth)
      throw Refused{
          mark.line + 1, "nested deeper than " + std::to_string(kMaxDepth) + " levels", {}};
    std::string path = next_path();
    Value* at = add(mark, std::move(container));
    open_.push_back(Open{at, std::move(path), {}, false});
  }

  Document& out_;
  std::vector<Open> open_;
  bool began_ = false;
};

Error at_line(const std::string& file, int line, const std::string& message, std::string hint) {
  return Error{Code::invalid, file + ":" + std::to_string(line) + ": " + message, std::move(hint)};
}

/// `field "a.b"` in the codec's words.
std::string path_in(const std::string& message) {
  const size_t begin = message.find("field \"");
  if (begin == std::string::npos) return {};
  const size_t from = begin + 7;
  return message.substr(from, message.find('"', from) - from);
}

}  // namespace

Error Document::error(const std::string& path, std::string message, std::string hint) const {
  std::string at = path;
  auto found = lines.find(at);
  while (found == lines.end() && !at.empty()) {
    const size_t cut = at.find_last_of(".[");
    at.resize(cut == std::string::npos ? 0 : cut);
    found = lines.find(at);
  }
  return at_line(file, found == lines.end() ? 1 : found->second, message, std::move(hint));
}

Error place_error(const Document& d, Error e) {
  const std::string path = path_in(e.message);
  constexpr std::string_view kText = "must be a string";
  if (const size_t at = e.message.find(kText); at != std::string::npos) {
    e.message.resize(at + kText.size());
    e.hint = "put it in quotes";
  }
  return d.error(path, std::move(e.message), std::move(e.hint));
}

Result<Document> parse(std::string_view text, std::string file) {
  Document d;
  d.file = std::move(file);
  d.value = Value::object();
  if (text.size() > kMaxBytes)
    return Error{
        Code::invalid, d.file + ": larger than " + std::to_string(kMaxBytes) + " bytes", {}};
  if (text.find('\0') != std::string_view::npos)
    return Error{Code::invalid, d.file + ": holds a NUL byte", {}};
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    Builder builder(d);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& r) {
    return at_line(d.file, r.line, r.message, r.hint);
  } catch (const YAML::Exception& e) {
    return at_line(d.file, e.mark.line + 1, e.msg, {});
  }
  if (d.value.is_null()) d.value = Value::object();
  return d;
}

namespace {

/// YAML 1.1 has them as true and false, and many readers still do (PyYAML, Ruby's).
bool is_old_boolean(const std::string& text) {
  constexpr std::array kWords{"y", "n", "yes", "no", "on", "off", "true", "false"};
  return std::find(kWords.begin(), kWords.end(), to_lower(text)) != kWords.end();
}

/// Text that would be read as something else is put into quotes.
void emit_text(YAML::Emitter& out, const std::string& text) {
  if (!plain_scalar(text).is_string() || is_old_boolean(text)) out << YAML::DoubleQuoted;
  out << text;
}

void emit(YAML::Emitter& out, const Value& v) {  // NOLINT(misc-no-recursion): as deep as the value
  if (v.is_object()) {
    out << (v.empty() ? YAML::Flow : YAML::Block) << YAML::BeginMap;
    for (auto it = v.begin(); it != v.end(); ++it) {
      out << YAML::Key;
      emit_text(out, it.key());
      out << YAML::Value;
      emit(out, it.value());
    }
    out << YAML::EndMap;
  } else if (v.is_array()) {
    const bool flat =
        std::none_of(v.begin(), v.end(), [](const Value& x) { return x.is_structured(); });
    out << (flat ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
    for (const auto& x : v) emit(out, x);
    out << YAML::EndSeq;
  } else if (v.is_string()) {
    emit_text(out, v.get<std::string>());
  } else if (v.is_null()) {
    out << YAML::Null;
  } else {
    out << json::dump(v);
  }
}

}  // namespace

std::string write(const Value& value) {
  YAML::Emitter out;
  emit(out, value);
  return std::string(out.c_str()) + "\n";
}

}  // namespace codexos::yaml
