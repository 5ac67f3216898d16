#pragma once
// Takes secrets out of a byte stream, also when they are split over writes. One thread.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace runner::engine {

/// Replaces by "[MASKED]": the secrets it is given (the longest one that begins at a place), whatever follows
/// a known token prefix, and the values of URL parameters that hold credentials. Holds back only bytes that
/// may be the beginning of something to be masked. With nothing to be found it is about as fast as copying.
class Masker {
 public:
  /// Empty ones are dropped; multi-line ones are masked line by line (lines of 8 characters and more).
  explicit Masker(const std::vector<std::string>& secrets);
  ~Masker();
  Masker(Masker&&) noexcept;
  Masker& operator=(Masker&&) noexcept;

  /// Appends to `out` what is certain by now.
  void feed(std::string_view bytes, std::string& out);
  /// The stream ended: appends what was held back. What is fed next is another stream.
  void finish(std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::engine
