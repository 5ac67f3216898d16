#include "runner/base/digest.h"

#include <openssl/evp.h>

#include <array>
#include <span>

#include "runner/base/error.h"

namespace runner {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

std::string to_hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

[[noreturn]] void fail() {
  throw Error(ErrorCode::internal, "cannot compute a digest");
}

Context start(const EVP_MD* algorithm) {
  Context context(EVP_MD_CTX_new());
  if (!context || EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) fail();
  return context;
}

void add(EVP_MD_CTX* context, std::string_view bytes) {
  if (EVP_DigestUpdate(context, bytes.data(), bytes.size()) != 1) fail();
}

std::string finish(EVP_MD_CTX* context) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context, digest.data(), &size) != 1) fail();
  return to_hex(std::span<const unsigned char>(digest.data(), size));
}

std::string digest_of(const EVP_MD* algorithm, std::string_view bytes) {
  const Context context = start(algorithm);
  add(context.get(), bytes);
  return finish(context.get());
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  return digest_of(EVP_sha256(), bytes);
}

std::string sha1_hex(std::string_view bytes) {
  return digest_of(EVP_sha1(), bytes);
}

struct Sha256::Impl {
  Context context = start(EVP_sha256());
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  add(impl_->context.get(), bytes);
}

std::string Sha256::finish_hex() {
  return finish(impl_->context.get());
}

}  // namespace runner
