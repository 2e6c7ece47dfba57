// SPDX-License-Identifier: Apache-2.0
// What a client sends to the shim (daemon/exec/client.h), and a packet on the link between daemon
// and shim (core/os/link.h). However frames are cut into pieces, they are the same; a payload lies
// within what was received.
#include <sys/socket.h>

#include "core/os/link.h"
#include "daemon/exec/client.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;

namespace {

struct Ends {
  explicit Ends(int type) {
    int fds[2] = {-1, -1};
    CODEXOS_CHECK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0);
    ours.reset(fds[0]);
    theirs.reset(fds[1]);
  }
  Fd ours, theirs;
};

/// Frames other than input as "TYPE STREAM NUMBERS PAYLOAD"; all input in one.
struct Frames {
  std::vector<std::string> others;
  std::string input;
};

Frames receive(const std::vector<std::string_view>& pieces) {
  Frames out;
  Ends ends(SOCK_STREAM);
  exec::Client client(std::move(ends.theirs));
  for (const auto piece : pieces) {
    CODEXOS_CHECK(send(ends.ours.get(), piece.data(), piece.size(), MSG_DONTWAIT) ==
                  static_cast<ssize_t>(piece.size()));
    CODEXOS_CHECK(client.receive(piece.size()));
    exec::ClientFrame f;
    while (client.next(f)) {
      if (f.type == FrameType::input) {
        out.input += f.payload;
        continue;
      }
      std::string text;
      for (const uint32_t n : {static_cast<uint32_t>(f.type), uint32_t{f.stream}, f.number(0, 4),
                               f.number(0, 2), f.number(2, 2)})
        text += std::to_string(n) + " ";
      out.others.push_back(text.append(f.payload));
    }
  }
  return out;
}

void check_packet(const std::string& packet) {
  const Ends ends(SOCK_SEQPACKET);
  if (send(ends.ours.get(), packet.data(), packet.size(), MSG_DONTWAIT) < 0) return;
  const auto message = try_recv_link(ends.theirs.get());
  if (!message.ok()) return;
  CODEXOS_CHECK(message->has_value() || packet.empty());
  if (*message) CODEXOS_CHECK((*message)->payload == packet.substr(4));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const auto most = in.ConsumeIntegralInRange<size_t>(1, 64);
  const std::string bytes = in.ConsumeRemainingBytesAsString();
  if (bytes.empty() || bytes.size() > 4096) return 0;
  check_packet(bytes);
  const Frames whole = receive({bytes}), cut = receive(fuzz::pieces(bytes, most));
  CODEXOS_CHECK(whole.input == cut.input);
  CODEXOS_CHECK(whole.others == cut.others);
  return 0;
}
