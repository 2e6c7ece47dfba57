// SPDX-License-Identifier: Apache-2.0
// JSON for wire types. The codec is drawn from fields(); nlohmann-json lives in json.cc and codec.h
// only. Requests are decoded strictly (unknown or repeated fields, wrong types, and invalid UTF-8
// are errors that name the field's path), responses leniently.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/fields.h"

namespace codexos::json {

/// Objects keep the order of fields(), which is the order a reader wants to see.
using Value = nlohmann::ordered_json;

enum class Unknown { refuse, ignore };
enum class Defaults { omit, write };

/// Parses text. Depth is limited to 64; repeated keys are an error. Error invalid says where.
Result<Value> parse(std::string_view text);
/// Compact, one line; bytes that are not UTF-8 are replaced (wire types carry them: codec.h).
std::string dump(const Value& v);
/// Indented by two spaces.
std::string dump_pretty(const Value& v);

namespace detail {
struct Path;
}
template <class T>
Status from_value(const Value& v, T& out, Unknown u, const detail::Path& path);
/// Error invalid names the path of what is wrong.
template <class T>
Status from_value(const Value& v, T& out, Unknown u);

/// One line of JSON. Requests: Defaults::omit.
template <class T>
std::string encode(const T& x, Defaults d = Defaults::write);
template <class T>
Result<T> decode(std::string_view text, Unknown u) {
  CODEXOS_ASSIGN(Value v, parse(text));
  T out;
  CODEXOS_TRY(from_value(v, out, u));
  return out;
}

}  // namespace codexos::json

#include "core/json/codec.h"  // the templates
