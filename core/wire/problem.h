// SPDX-License-Identifier: Apache-2.0
// Errors on the wire: RFC 9457 application/problem+json, and the one table that maps our error
// codes to HTTP status and to the exit code of every command but run, wait, attach and exec (those:
// 125).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/fields.h"

namespace codexos::wire {

struct CodeRow {
  Code code;
  std::string_view name;  // stable, scripts may match on it
  int http_status;
  int exit_code;
  std::string_view title;
};
inline constexpr std::array kCodes{
    CodeRow{Code::invalid, "invalid", 400, 2, "The request is wrong"},
    CodeRow{Code::not_found, "not_found", 404, 3, "Not found"},
    CodeRow{Code::ambiguous, "ambiguous", 409, 3, "The name fits several things"},
    CodeRow{Code::conflict, "conflict", 409, 5, "Not possible in this state"},
    CodeRow{Code::denied, "denied", 403, 4, "Not allowed"},
    CodeRow{Code::exhausted, "exhausted", 429, 8, "A limit is used up"},
    CodeRow{Code::no_space, "no_space", 507, 8, "No space left on the disk"},
    CodeRow{Code::unavailable, "unavailable", 503, 7, "Not available"},
    CodeRow{Code::timeout, "timeout", 504, 124, "It took too long"},
    CodeRow{Code::unsupported, "unsupported", 501, 2, "Not available in this version"},
    CodeRow{Code::internal, "internal", 500, 1, "Internal error"},
};
constexpr const CodeRow& code_row(Code c) {
  for (const auto& row : kCodes)
    if (row.code == c) return row;
  return kCodes.back();
}

struct Problem {
  std::string type = "about:blank";
  std::string title;
  int32_t status = 500;
  std::string detail;
  std::string code;
  std::string hint;
  std::string request_id;
  std::string task;               // the task concerned, where there is one
  std::string cause;              // a refused or failed start: the task's cause
  std::vector<std::string> pass;  // variables whose values the request lacks (PolicyAsk::env)
  template <class Self, class V>
  static void fields(Self& s, V& v) {
    v("type", s.type, "RFC 9457 type");
    v("title", s.title, "what kind of error");
    v("status", s.status, "HTTP status");
    v("detail", s.detail, "what went wrong");
    v("code", s.code, "stable error code");
    v("hint", s.hint, "the command or change that helps");
    v("request_id", s.request_id, "id of the request in the daemon's log");
    v("task", s.task, "the task concerned");
    v("cause", s.cause, "the task's cause, where it ended or did not start");
    v("pass", s.pass, "ask again with these variables of yours, and say that you looked for them");
  }
};

}  // namespace codexos::wire
