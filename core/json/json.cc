// SPDX-License-Identifier: Apache-2.0
// Parsing and printing of JSON text, and the parts of the codec that need no template. Parsing goes
// through nlohmann's SAX interface: it throws nothing, sees repeated keys (RFC 8259 leaves them
// open; two readers that pick different ones are a security hole) and bounds the depth.
#include "core/json/json.h"

#include <algorithm>
#include <unordered_set>

#include "core/base/text.h"

namespace codexos::json {
namespace {

using detail::append_member;

constexpr size_t kMaxDepth = 64;

Error bad_json(const std::string& why) { return Error{Code::invalid, "JSON: " + why, {}}; }

/// Builds a Value; stops at the first error and keeps it.
class Builder : public nlohmann::json_sax<Value> {
 public:
  Result<Value> take() {
    if (error_) return *std::move(error_);
    return std::move(root_);
  }
  bool failed() const { return error_.has_value(); }

  bool null() override { return add(nullptr); }
  bool boolean(bool x) override { return add(x); }
  bool number_integer(number_integer_t x) override { return add(x); }
  bool number_unsigned(number_unsigned_t x) override { return add(x); }
  bool number_float(number_float_t x, const string_t&) override { return add(x); }
  bool string(string_t& x) override { return add(std::move(x)); }
  bool binary(binary_t&) override { return fail("binary values are not JSON"); }
  bool start_object(size_t) override { return open(Value::object()); }
  bool start_array(size_t) override { return open(Value::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (is_known(name)) return fail("field \"" + name + "\" is given twice");
    key_ = std::move(name);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const Value::exception& e) override {
    // The library's text: "[json.exception.parse_error.101] parse error at line 1, column 2: ...".
    std::string_view text = e.what();
    if (const size_t at = text.find("] "); at != std::string_view::npos) text.remove_prefix(at + 2);
    // What it had read last may be a secret, and errors are shown and logged.
    text = text.substr(0, text.find("; last read: "));
    return fail(std::string(text) + " (byte " + std::to_string(position) + ")");
  }

 private:
  bool fail(std::string why) {
    if (!error_) error_ = bad_json(why);
    return false;
  }
  template <class X>
  bool add(X&& x) {
    place(Value(std::forward<X>(x)));
    return true;
  }
  Value* place(Value&& x) {
    if (stack_.empty()) {
      root_ = std::move(x);
      return &root_;
    }
    Value& parent = *stack_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::move(x));
      return &parent.back();
    }
    return &append_member(parent, key_, std::move(x));
  }
  bool open(Value&& container) {
    if (stack_.size() == kMaxDepth)
      return fail("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    // The pointer stays good: a parent grows only after its last child is closed.
    stack_.push_back(Open{place(std::move(container)), {}});
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }
  /// A set where there are many, because an object of a million members must not cost a million
  /// searches.
  bool is_known(const std::string& name) {
    constexpr size_t kFew = 24;
    auto& [value, keys] = stack_.back();
    if (value->size() < kFew) return value->contains(name);
    if (keys.empty())
      for (const auto& member : value->get_ref<Value::object_t&>()) keys.insert(member.first);
    return !keys.insert(name).second;
  }

  struct Open {
    Value* value;
    std::unordered_set<std::string> keys;
  };
  Value root_;
  std::vector<Open> stack_;
  std::string key_;
  std::optional<Error> error_;
};

std::string dump_indented(const Value& v, int indent) {
  return v.dump(indent, ' ', false, Value::error_handler_t::replace);
}

/// Levenshtein distance; small inputs only.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

Result<Value> parse(std::string_view text) {
  Builder builder;
  const bool whole = Value::sax_parse(text.begin(), text.end(), &builder);
  if (!whole && !builder.failed()) return bad_json("cannot be read");
  return builder.take();
}

std::string dump(const Value& v) { return dump_indented(v, -1); }
std::string dump_pretty(const Value& v) { return dump_indented(v, 2); }

namespace detail {

Value& append_member(Value& object, std::string name, Value&& x) {
  auto& members = object.get_ref<Value::object_t&>();
  members.emplace_back(std::move(name), std::move(x));
  return members.back().second;
}

std::string Path::text() const {
  if (up == nullptr) return {};
  std::string out = up->text();
  if (is_element) return out.append("[").append(std::to_string(index)).append("]");
  if (!out.empty()) out += '.';
  return out.append(name);
}

Error wrong(const Path& path, std::string_view what) {
  if (path.up == nullptr) return Error{Code::invalid, "the document " + std::string(what), {}};
  return Error{Code::invalid, "field \"" + path.text() + "\" " + std::string(what), {}};
}

Error unknown_field(const Value& object, const std::vector<const char*>& known, const Path& path) {
  for (auto it = object.begin(); it != object.end(); ++it) {
    const std::string& name = it.key();
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    Error e{Code::invalid, "unknown field \"" + path.member(name).text() + "\"", {}};
    if (name.size() > 64) return e;
    const char* nearest = nullptr;
    size_t best = 3;  // further away is no typing error
    for (const char* k : known)
      if (const size_t d = distance(name, k); d < best) {
        best = d;
        nearest = k;
      }
    if (nearest != nullptr) e.hint = std::string("did you mean \"") + nearest + "\"?";
    return e;
  }
  return Error{Code::internal, "unknown field not found", {}};
}

Status read_signed(const Value& v, int64_t min, int64_t max, int64_t& out, const Path& path) {
  if (!v.is_number_integer()) return wrong(path, "must be an integer");
  const bool too_large =
      v.is_number_unsigned() && v.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
  const int64_t x = too_large ? 0 : v.get<int64_t>();
  if (too_large || x < min || x > max)
    return wrong(path, "must be between " + std::to_string(min) + " and " + std::to_string(max));
  out = x;
  return {};
}

Status read_unsigned(const Value& v, uint64_t max, uint64_t& out, const Path& path) {
  if (!v.is_number_integer()) return wrong(path, "must be an integer");
  const bool negative = !v.is_number_unsigned() && v.get<int64_t>() < 0;
  const uint64_t x = negative ? 0 : v.get<uint64_t>();
  if (negative || x > max) return wrong(path, "must be between 0 and " + std::to_string(max));
  out = x;
  return {};
}

Status read_bool(const Value& v, bool& out, const Path& path) {
  if (!v.is_boolean()) return wrong(path, "must be true or false");
  out = v.get<bool>();
  return {};
}

Status read_double(const Value& v, double& out, const Path& path) {
  if (!v.is_number()) return wrong(path, "must be a number");
  out = v.get<double>();
  return {};
}

namespace {

/// Printable ASCII that JSON takes as it is; what is not, the library writes.
bool is_plain(std::string_view s) {
  return std::all_of(s.begin(), s.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

void append_quoted(std::string& out, std::string_view s) {
  if (is_plain(s)) {
    out.append(1, '"').append(s).append(1, '"');
  } else {
    out += dump(Value(std::string(s)));
  }
}

}  // namespace

void append_string(std::string& out, const std::string& s) {
  if (is_plain(s) || is_utf8(s)) return append_quoted(out, s);
  out.append(R"({"base64":")").append(to_base64(s)).append("\"}");
}

void append_name(std::string& out, std::string_view name) {
  append_quoted(out, name);
  out += ':';
}

void append_double(std::string& out, double x) { out += dump(Value(x)); }

Status read_string(const Value& v, std::string& out, const Path& path) {
  if (v.is_object() && v.size() == 1 && v.contains("base64") && v["base64"].is_string()) {
    auto bytes = from_base64(v["base64"].get_ref<const std::string&>());
    if (!bytes.ok()) return wrong(path.member("base64"), "is damaged");
    out = *std::move(bytes);
    return {};
  }
  if (!v.is_string()) return wrong(path, "must be a string, or {\"base64\": ...}");
  out = v.get_ref<const std::string&>();
  return {};
}

}  // namespace detail
}  // namespace codexos::json
