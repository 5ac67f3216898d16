#include "runner/storage/sealer.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::storage {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kHead = 9, kNonce = 12, kTag = 16;
constexpr std::size_t kMost = std::size_t{1} << 30U;  // lengths of EVP are ints
static_assert(kHead + kNonce + kTag == kSealOverhead);

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* raw(const void* bytes) noexcept {
  return static_cast<const unsigned char*>(bytes);
}

unsigned char* raw(void* bytes) noexcept {
  return static_cast<unsigned char*>(bytes);
}

std::string shown(const SealPlace& place) {
  return "column '" + std::string(place.column) + "' in row " + std::to_string(place.row) + " of '" +
         std::string(place.table) + "'";
}

/// What is authenticated and not encrypted.
std::string bound_to(std::string_view head, const SealPlace& place) {
  std::string text(head);
  for (const std::string_view part : {place.table, place.column}) {
    text += part;
    text += '\0';
  }
  return text + std::to_string(place.row);
}

[[noreturn]] void fail(const char* what) {
  // Else the next TLS call on this thread could take our error for its own.
  ERR_clear_error();
  throw Error(ErrorCode::internal, what);
}

/// A context that knows key, nonce and what is authenticated.
Context start(bool encrypt, const Secret& key, const void* nonce, std::string_view bound) {
  Context context(EVP_CIPHER_CTX_new());
  int ignored = 0;
  if (!context ||
      EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, raw(key.text().data()), raw(nonce),
                        encrypt ? 1 : 0) != 1 ||
      EVP_CipherUpdate(context.get(), nullptr, &ignored, raw(bound.data()), static_cast<int>(bound.size())) !=
          1) {
    fail("cannot begin to seal or open a value");
  }
  return context;
}

}  // namespace

Sealer::Sealer(Secret key) : key_(std::move(key)) {
  if (key_.size() != kDataKeySize) {
    throw Error(ErrorCode::invalid_input, "a data key has " + std::to_string(kDataKeySize) +
                                              " bytes, and this one " + std::to_string(key_.size()));
  }
  Sha256 digest;
  digest.update("runner data key id\n");
  digest.update(key_.text());
  key_id_ = digest.finish_hex().substr(0, 16);
  head_[0] = kVersion;
  for (std::size_t i = 0; i < 8; ++i) {
    head_[i + 1] = static_cast<char>(std::stoi(key_id_.substr(i * 2, 2), nullptr, 16));
  }
}

Sealed Sealer::seal(std::string_view secret, const SealPlace& place) const {
  if (secret.size() > kMost) {
    throw Error(ErrorCode::invalid_input,
                "cannot seal " + format_bytes(secret.size()) + ": at most " + format_bytes(kMost));
  }
  Sealed sealed(kSealOverhead + secret.size());
  char* const begin = reinterpret_cast<char*>(sealed.data());
  std::copy(head_.begin(), head_.end(), begin);
  fill_random({begin + kHead, kNonce});
  const Context context = start(true, key_, begin + kHead, bound_to({head_.data(), head_.size()}, place));
  char* const text = begin + kHead + kNonce;
  int used = 0;
  if ((!secret.empty() && EVP_CipherUpdate(context.get(), raw(text), &used, raw(secret.data()),
                                           static_cast<int>(secret.size())) != 1) ||
      EVP_CipherFinal_ex(context.get(), raw(text + secret.size()), &used) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTag),
                          text + secret.size()) != 1) {
    fail("cannot seal a value");
  }
  return sealed;
}

Secret Sealer::open(std::span<const std::byte> sealed, const SealPlace& place) const {
  const auto* const begin = reinterpret_cast<const char*>(sealed.data());
  if (sealed.size() < kSealOverhead || sealed.size() > kSealOverhead + kMost) {
    throw Error(ErrorCode::internal, shown(place) + " holds no sealed value: it has " +
                                         format_bytes(sealed.size()) + "; set the value again");
  }
  if (begin[0] != kVersion) {
    throw Error(ErrorCode::conflict, shown(place) +
                                         " is sealed in a way that this program does not know: use the one "
                                         "that wrote it, or set the value again");
  }
  if (!std::equal(head_.begin(), head_.end(), begin)) {
    throw Error(ErrorCode::conflict, shown(place) + " is sealed with another data key than '" + key_id_ +
                                         "': put the key back that was there, or set the value again");
  }
  const std::size_t size = sealed.size() - kSealOverhead;
  const Context context = start(false, key_, begin + kHead, bound_to({head_.data(), head_.size()}, place));
  const char* const text = begin + kHead + kNonce;
  std::array<char, kTag> tag{};
  std::copy_n(text + size, kTag, tag.begin());
  Secret secret(size);
  int used = 0;
  if ((size != 0 && EVP_CipherUpdate(context.get(), raw(secret.bytes().data()), &used, raw(text),
                                     static_cast<int>(size)) != 1) ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTag), tag.data()) != 1 ||
      EVP_CipherFinal_ex(context.get(), raw(tag.data()), &used) != 1) {
    ERR_clear_error();
    throw Error(
        ErrorCode::internal,
        shown(place) + " does not open: it was changed, or is from another place; set the value again");
  }
  return secret;
}

}  // namespace runner::storage
