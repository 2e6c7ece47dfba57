// SPDX-License-Identifier: Apache-2.0
#include "daemon/gateway/coding.h"

#include <zstd.h>

#include <memory>

#include "core/base/text.h"

namespace codexos::daemon {
namespace {

constexpr int kMaxWindowLog = 24;  // 16 MiB, twice what RFC 8878 asks of decoders

struct FreeZstd {
  void operator()(ZSTD_DCtx* c) const { ZSTD_freeDCtx(c); }
};

}  // namespace

bool is_coded(std::string_view coding) { return !coding.empty() && to_lower(coding) != "identity"; }

Result<std::string> decode_body(std::string_view coding, std::string_view bytes, size_t most) {
  if (to_lower(coding) != "zstd")
    return Error{Code::unsupported, "the content coding " + std::string(coding.substr(0, 64)), {}};
  const Error broken{Code::invalid, "the body is not the zstd that it says it is", {}};
  const std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
  CODEXOS_CHECK(context != nullptr);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  std::string out, piece(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  size_t left = 1;  // of the frame; 0: it is whole
  for (bool full = true; in.pos < in.size || full;) {
    ZSTD_outBuffer to{piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left) != 0) return broken;
    if (out.size() + to.pos > most) return Error{Code::invalid, "the body is too large", {}};
    out.append(piece, 0, to.pos);
    full = to.pos == to.size && left != 0;
  }
  return left == 0 ? Result<std::string>(std::move(out)) : Result<std::string>(broken);
}

}  // namespace codexos::daemon
