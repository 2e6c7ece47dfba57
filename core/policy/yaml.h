// SPDX-License-Identifier: Apache-2.0
// Strict YAML, the only way in: one document, no anchors, aliases or tags, no key twice, bounded in
// size and depth. The result is a JSON value, decoded by the same fields() as a request, so an
// unknown field is an error here too. Every error begins with file:line.
//
// Plain scalars are what YAML 1.2's core schema says: null, true, false, integers, decimal numbers;
// all else (also yes, no and on) is text, and so is whatever stands in quotes. yaml-cpp lives in
// yaml.cc only.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/json/json.h"

namespace codexos::yaml {

inline constexpr size_t kMaxBytes = 1 << 20;
inline constexpr size_t kMaxDepth = 32;
inline constexpr size_t kMaxKeys = 1000;  // of one mapping: each is compared with all

struct Document {
  std::string file;  // as errors name it
  json::Value value;
  std::map<std::string, int> lines;  // "a.b[0].c" -> line, from 1

  /// "file:line: message"; the line of `path`, or of the nearest thing around it.
  Error error(const std::string& path, std::string message, std::string hint = {}) const;
};

/// Error invalid names file and line. An empty document is an empty object.
Result<Document> parse(std::string_view text, std::string file);

/// The value as a document in block style, keys in their order, with a newline behind it.
std::string write(const json::Value& value);

/// What the codec had to say about a field, with its line.
Error place_error(const Document& d, Error e);

template <class T>
Result<T> decode(const Document& d, T out = {}) {
  if (auto s = json::from_value(d.value, out, json::Unknown::refuse); !s.ok())
    return place_error(d, std::move(s).error());
  return out;
}
/// Reads a whole file into a T.
template <class T>
Result<T> decode(std::string_view text, std::string file) {
  CODEXOS_ASSIGN(const Document d, parse(text, std::move(file)));
  return decode<T>(d);
}

}  // namespace codexos::yaml
