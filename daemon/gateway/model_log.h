// SPDX-License-Identifier: Apache-2.0
// The record of a task's exchanges with models: one append-only file, tasks/ID/model.log.
//
//   codexos model log 1\n
//   blob SHA256 SIZE\n BYTES \n          a message, a list of tools, a system text, an answer
//   exchange SIZE\n JSON \n              one line of JSON, in the order in which exchanges ended
//
// Each different blob stands there once, before the first exchange that names it, so a conversation
// that sends all of its past with every turn grows by what is new. The JSON of an exchange:
//
//   at, endpoint, provider, model, asked_model, status, error, content_type, first_byte_us,
//   duration_us, usage{...}, response (SHA256), response_cut, request
//
// Of a task that has secrets everything is written with stars for their values, text by text; where
// they are not known now, `request` is {"withheld": WHY}, and `response` has no bytes.
//
// `request` is the body with every element of "messages" or of a list "input", and "tools",
// "system", "instructions" and a text "input", replaced by {"$blob": SHA256} of its JSON; a body
// that is no JSON is {"$raw": SHA256}. Put together it is the same JSON value, not the same bytes.
//
// A crash can leave a last record unfinished: readers stop there, and who appends cuts it off.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/redactor.h"
#include "core/json/json.h"
#include "daemon/gateway/recorder.h"

namespace codexos::daemon {

using FindRedactor = std::function<TaskRedactor(const std::string& task)>;

class ModelLogs final : public Recorder {
 public:
  /// `path_of`: the file of a task; its folder exists. No `redactor_of`: nothing is taken out.
  explicit ModelLogs(std::function<std::string(const std::string& task)> path_of,
                     FindRedactor redactor_of = nullptr);
  ~ModelLogs() override;
  /// What cannot be written is logged, once for each task, and left out.
  void record(const ExchangeRecord& exchange) override;
  void close(const std::string& task) override;

 private:
  struct File;
  File* file_of(const std::string& task);
  std::function<std::string(const std::string&)> path_of_;
  FindRedactor redactor_of_;
  std::map<std::string, std::unique_ptr<File>> files_;
};

struct ModelLogEntry {
  json::Value exchange;  // the JSON, with `request` put together again
  std::string response;
};
/// What stands in a file; what is unfinished at its end is left out. Error invalid: it is no such
/// file, or a blob does not fit its hash.
Result<std::vector<ModelLogEntry>> read_model_log(std::string_view bytes);

}  // namespace codexos::daemon
