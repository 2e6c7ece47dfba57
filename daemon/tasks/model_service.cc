// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/model_service.h"

namespace codexos::daemon {
namespace {

class ModelService final : public InternalService {
 public:
  explicit ModelService(ModelSeams seams) : seams_(std::move(seams)) {}
  Status start(Loop& loop, GatewayOptions options) {
    const GatewayParts parts{loop, *seams_.ledger, *seams_.keys, seams_.recorder.get()};
    CODEXOS_ASSIGN(gateway_, Gateway::make(parts, std::move(options)));
    return {};
  }
  void accept(const std::string& task, Fd socket) override {
    gateway_->accept(task, std::move(socket));
  }
  Metering& metering() override { return gateway_->own_way(); }
  void drop(const std::string& task) override { gateway_->drop(task); }

 private:
  ModelSeams seams_;
  std::unique_ptr<Gateway> gateway_;  // before them
};

}  // namespace

MakeInternalService make_model_service(GatewayOptions options, MakeModelSeams seams) {
  return [options = std::move(options),
          seams = std::move(seams)](Loop& loop) -> Result<std::unique_ptr<InternalService>> {
    CODEXOS_ASSIGN(ModelSeams made, seams(loop));
    auto service = std::make_unique<ModelService>(std::move(made));
    CODEXOS_TRY(service->start(loop, options));
    return std::unique_ptr<InternalService>(std::move(service));
  };
}

GatewayOptions read_gateway_options(const std::function<const char*(const char*)>& get) {
  const auto first = [&get](std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (const char* value = get(name); value != nullptr && *value != '\0')
        return std::string(value);
    return std::string();
  };
  GatewayOptions o;
  o.folder = providers_folder(first({"XDG_CONFIG_HOME"}), first({"HOME"}));
  o.curl.proxy = first({"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"});
  o.curl.no_proxy = first({"NO_PROXY", "no_proxy"});
  return o;
}

}  // namespace codexos::daemon
