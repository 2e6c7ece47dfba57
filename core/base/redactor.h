// SPDX-License-Identifier: Apache-2.0
// Finds known values in a stream of bytes, however it is cut into pieces, and overwrites them with
// '*', byte for byte, so that lengths that were announced before (Content-Length, sizes of chunks,
// offsets of a log) stay true. Values are found as they are and as programs write them: base64 in
// all three alignments and both alphabets, hexadecimal, percent-encoded, escaped for JSON or HTML.
//
// An Aho-Corasick automaton: the time does not depend on how many values there are, and nobody can
// make it slow by what he sends. Bytes that may be the beginning of a value are held back until the
// next ones came, nothing else is: an event stream is not delayed.
//
// It does not find a value that was compressed, encrypted, reversed or cut into pieces by the one
// who writes it. No exceptions, no fmt: the shim links it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace codexos {

/// A shorter value stands in so many texts by chance that searching for it does harm: it is not
/// searched for (Redactor::add says so). Whoever keeps secrets refuses them.
inline constexpr size_t kMinRedacted = 8;
/// A line of a longer value (a key in a file) is searched for by itself from so many bytes on.
inline constexpr size_t kMinRedactedLine = 16;
/// The automaton takes up to 2 KiB for each byte of a value. A longer one is searched for as it is
/// and in base64.
inline constexpr size_t kMaxSpelled = 4096;

class Redactor {
 public:
  Redactor();
  ~Redactor();  // overwrites what it knows of the values
  Redactor(const Redactor&) = delete;
  Redactor& operator=(const Redactor&) = delete;

  /// `tag` is what a Stream tells when it finds this value. Line ends behind it are no part of it.
  /// False: too short, not added.
  bool add(std::string_view value, uint32_t tag);
  /// The value as it is and in base64 only: of what is looked for, not hidden.
  bool add_plain(std::string_view value, uint32_t tag);
  /// After the last add(), before the first Stream.
  void finish();
  bool empty() const { return nodes_.size() == 1; }

  /// One stream of bytes. Many may use one Redactor, also from several threads at once.
  class Stream {
   public:
    using OnFound = std::function<void(uint32_t tag)>;
    /// `by` outlives it.
    explicit Stream(const Redactor& by, OnFound found = nullptr)
        : by_(&by), found_(std::move(found)) {}
    /// Appends to `out` what is decided: `in`, and before it what was held back, but for an end
    /// that may still become a value.
    void feed(std::string_view in, std::string& out);
    /// Only looks: nothing is overwritten or held back. Of one stream either this or feed().
    void look(std::string_view in);
    /// The stream has ended (or this piece stands for itself): what was held back is appended.
    void finish(std::string& out);
    /// What is held back.
    std::string_view held() const { return held_; }

   private:
    uint32_t run(std::string_view bytes, char* text);
    const Redactor* by_;
    OnFound found_;
    uint32_t state_ = 0;
    std::string held_;
  };

  /// A text that is whole.
  std::string redacted(std::string_view text) const;

 private:
  struct Node {
    uint32_t child = 0;    // first; 0: none (nothing leads to the root)
    uint32_t sibling = 0;  // next child of its parent
    uint32_t fail = 0;     // the longest end of its text that is a beginning of a value
    uint32_t depth = 0;    // length of its text
    uint32_t match = 0;    // length of the longest value that ends here; 0: none
    uint32_t tag = 0;      // of that
    unsigned char byte = 0;
  };
  void insert(std::string_view form, uint32_t tag);
  void insert_lines(std::string_view value, uint32_t tag);
  uint32_t child_of(uint32_t node, unsigned char byte) const;
  uint32_t step(uint32_t node, unsigned char byte) const;

  std::vector<Node> nodes_;
  std::array<uint32_t, 256> first_{};  // children of the root
  std::vector<uint64_t> pairs_;        // a bit for each two bytes that a form begins with
};

/// Finds what a task has of secrets. None: it has none; null: it has some that are not known now.
using TaskRedactor = std::optional<std::shared_ptr<const Redactor>>;

/// What then stands for a text that may hold them.
inline constexpr const char* kWithheld = "(withheld: the task's secrets are not known now)";

}  // namespace codexos
