// SPDX-License-Identifier: Apache-2.0
#include "core/base/redactor.h"

#include <string.h>  // explicit_bzero

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/base/secret.h"
#include "core/base/spellings.h"

namespace codexos {
namespace {

constexpr size_t kPairBits = 64;

size_t pair_of(unsigned char first, unsigned char second) {
  return static_cast<size_t>(first) << 8 | second;
}

}  // namespace

Redactor::Redactor() : nodes_(1), pairs_((1 << 16) / kPairBits) {}

Redactor::~Redactor() { explicit_bzero(nodes_.data(), nodes_.size() * sizeof(Node)); }

uint32_t Redactor::child_of(uint32_t node, unsigned char byte) const {
  uint32_t c = nodes_[node].child;
  while (c != 0 && nodes_[c].byte != byte) c = nodes_[c].sibling;
  return c;
}

void Redactor::insert(std::string_view form, uint32_t tag) {
  uint32_t at = 0;
  for (const char c : form) {
    const auto byte = static_cast<unsigned char>(c);
    uint32_t next = child_of(at, byte);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes_.size());
      Node n;
      n.byte = byte;
      n.depth = nodes_[at].depth + 1;
      n.sibling = nodes_[at].child;
      nodes_.push_back(n);
      nodes_[at].child = next;
    }
    at = next;
  }
  if (nodes_[at].match != 0) return;  // the value of an earlier one
  nodes_[at].match = static_cast<uint32_t>(form.size());
  nodes_[at].tag = tag;
}

/// Programs indent them, number them, or print one of them.
void Redactor::insert_lines(std::string_view value, uint32_t tag) {
  for (size_t at = 0; at < value.size();) {
    const size_t end = std::min(value.find('\n', at), value.size());
    std::string_view line = value.substr(at, end - at);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.size() >= kMinRedactedLine) insert(line, tag);
    at = end + 1;
  }
}

bool Redactor::add(std::string_view value, uint32_t tag) {
  const size_t end = value.find_last_not_of("\r\n") + 1;
  if (end >= kMinRedacted) value = value.substr(0, end);
  if (value.size() > kMaxSpelled) {
    insert(on_terminal(value), tag);
    return add_plain(value, tag);
  }
  if (value.size() < kMinRedacted) return false;
  insert_lines(value, tag);
  for (auto& form : spellings_of(value)) {
    if (form.size() >= kMinRedacted) insert(form, tag);
    wipe(form);
  }
  return true;
}

bool Redactor::add_plain(std::string_view value, uint32_t tag) {
  if (value.size() < kMinRedacted) return false;
  insert(value, tag);
  for (const auto& form : base64_spellings(value)) insert(form, tag);
  return true;
}

void Redactor::finish() {
  for (uint32_t c = nodes_[0].child; c != 0; c = nodes_[c].sibling) {
    first_[nodes_[c].byte] = c;
    for (uint32_t g = nodes_[c].child; g != 0; g = nodes_[g].sibling) {
      const size_t pair = pair_of(nodes_[c].byte, nodes_[g].byte);
      pairs_[pair / kPairBits] |= uint64_t{1} << pair % kPairBits;
    }
  }
  // Breadth first, since what a node falls back to is always less deep.
  std::vector<uint32_t> order{0};
  order.reserve(nodes_.size());
  for (size_t i = 0; i < order.size(); ++i)
    for (uint32_t c = nodes_[order[i]].child; c != 0; c = nodes_[c].sibling) {
      order.push_back(c);
      Node& n = nodes_[c];
      n.fail = i == 0 ? 0 : step(nodes_[order[i]].fail, n.byte);
      const Node& shorter = nodes_[n.fail];
      if (n.match != 0 || shorter.match == 0) continue;
      n.match = shorter.match;
      n.tag = shorter.tag;
    }
}

uint32_t Redactor::step(uint32_t node, unsigned char byte) const {
  while (node != 0) {
    if (const uint32_t next = child_of(node, byte); next != 0) return next;
    node = nodes_[node].fail;
  }
  return first_[byte];
}

/// Over fresh bytes. `text`: where they stand, behind what was held back, to be overwritten; null:
/// only looks.
uint32_t Redactor::Stream::run(std::string_view bytes, char* text) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  const size_t size = bytes.size();
  uint32_t state = state_;
  for (size_t i = 0; i < size; ++i) {
    if (state == 0) {
      // Nearly all bytes of nearly all texts end here.
      const auto begins = [&](size_t at) {
        const size_t pair = pair_of(p[at], p[at + 1]);
        return (by_->pairs_[pair / kPairBits] >> pair % kPairBits & 1) != 0;
      };
      while (i + 1 < size && !begins(i)) ++i;
    }
    state = by_->step(state, p[i]);
    const Node& n = by_->nodes_[state];
    if (n.match == 0) continue;
    if (text != nullptr) std::memset(text + i + 1 - n.match, '*', n.match);
    if (found_) found_(n.tag);
  }
  return state;
}

void Redactor::Stream::feed(std::string_view in, std::string& out) {
  const size_t base = out.size();
  out += held_;
  const size_t fresh = out.size();
  out += in;
  state_ = run(in, out.data() + fresh);
  const size_t keep = by_->nodes_[state_].depth;
  CODEXOS_CHECK(out.size() - base >= keep);
  held_.assign(out, out.size() - keep, keep);
  out.resize(out.size() - keep);
}

void Redactor::Stream::look(std::string_view in) { state_ = run(in, nullptr); }

void Redactor::Stream::finish(std::string& out) {
  out += held_;
  held_.clear();
  state_ = 0;
}

std::string Redactor::redacted(std::string_view text) const {
  std::string out;
  Stream s(*this);
  s.feed(text, out);
  s.finish(out);
  return out;
}

}  // namespace codexos
