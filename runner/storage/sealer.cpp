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

constexpr char kVersion = 2, kBareVersion = 1;
constexpr std::size_t kId = 8, kHead = 1 + kId, kNonce = 12, kTag = 16;
constexpr std::size_t kBox = kNonce + kTag;  // what a box has more than its content
constexpr std::size_t kBody = kHead + kDataKeySize + kBox, kBareOverhead = kHead + kBox;
constexpr std::size_t kMost = std::size_t{1} << 30U;  // lengths of EVP are ints
static_assert(kBody + kBox == kSealOverhead);

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

/// The same of the value itself, which keeps when its data key is another.
std::string bound_to(const SealPlace& place) {
  return bound_to(std::string_view(&kVersion, 1), place);
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

/// Writes nonce, ciphertext and tag, kBox bytes more than the secret has.
void box(std::string_view secret, const Secret& key, std::string_view bound, char* out) {
  fill_random({out, kNonce});
  const Context context = start(true, key, out, bound);
  char* const text = out + kNonce;
  int used = 0;
  if ((!secret.empty() && EVP_CipherUpdate(context.get(), raw(text), &used, raw(secret.data()),
                                           static_cast<int>(secret.size())) != 1) ||
      EVP_CipherFinal_ex(context.get(), raw(text + secret.size()), &used) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTag),
                          text + secret.size()) != 1) {
    fail("cannot seal a value");
  }
}

/// What box() wrote. nullopt: it was changed, or is bound to something else.
std::optional<Secret> unbox(std::string_view boxed, const Secret& key, std::string_view bound) {
  const std::size_t size = boxed.size() - kBox;
  const Context context = start(false, key, boxed.data(), bound);
  const char* const text = boxed.data() + kNonce;
  std::array<char, kTag> tag{};
  std::copy_n(text + size, kTag, tag.begin());
  Secret secret(size);
  int used = 0;
  if ((size != 0 && EVP_CipherUpdate(context.get(), raw(secret.bytes().data()), &used, raw(text),
                                     static_cast<int>(size)) != 1) ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTag), tag.data()) != 1 ||
      EVP_CipherFinal_ex(context.get(), raw(tag.data()), &used) != 1) {
    ERR_clear_error();
    return std::nullopt;
  }
  return secret;
}

Secret check_opened(std::optional<Secret> opened, const SealPlace& place) {
  if (opened) return *std::move(opened);
  throw Error(ErrorCode::internal, shown(place) +
                                       " does not open: it was changed, or is from another place; set the "
                                       "value again");
}

std::string_view text_of(std::span<const std::byte> sealed) {
  return {reinterpret_cast<const char*>(sealed.data()), sealed.size()};
}

/// Version and id of the data key, as each value begins.
std::string head_of(char version, const std::string& id) {
  std::string head(1, version);
  for (std::size_t at = 0; at < id.size(); at += 2)
    head += static_cast<char>(std::stoi(id.substr(at, 2), nullptr, 16));
  return head;
}

void check_form(std::span<const std::byte> sealed, const SealPlace& place) {
  const std::string_view text = text_of(sealed);
  const bool known = !text.empty() && (text[0] == kVersion || text[0] == kBareVersion);
  const std::size_t least = text.empty() || text[0] != kVersion ? kBareOverhead : kSealOverhead;
  if (text.size() < least || text.size() > least + kMost) {
    throw Error(ErrorCode::internal, shown(place) + " holds no sealed value: it has " +
                                         format_bytes(text.size()) + "; set the value again");
  }
  if (!known) {
    throw Error(ErrorCode::conflict, shown(place) +
                                         " is sealed in a way that this program does not know: use the one "
                                         "that wrote it, or set the value again");
  }
}

/// The key of a value of version 2.
Secret own_key(std::string_view text, const Secret& key, const SealPlace& place) {
  return check_opened(
      unbox(text.substr(kHead, kDataKeySize + kBox), key, bound_to(text.substr(0, kHead), place)), place);
}

}  // namespace

std::string data_key_id(const Secret& key) {
  Sha256 digest;
  digest.update("runner data key id\n");
  digest.update(key.text());
  return digest.finish_hex().substr(0, 2 * kId);
}

std::string data_key_of(std::span<const std::byte> sealed) {
  if (sealed.size() < kHead) return "";
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  for (const std::byte byte : sealed.subspan(1, kId)) {
    id += kDigits[std::to_integer<unsigned>(byte) >> 4U];
    id += kDigits[std::to_integer<unsigned>(byte) & 15U];
  }
  return id;
}

Sealer::Sealer(Secret key, std::vector<Secret> older) {
  auto keys = keys_.lock();
  keys->push_back(make_key(std::move(key)));
  for (Secret& one : older) keys->push_back(make_key(std::move(one)));
}

Sealer::KeyPtr Sealer::make_key(Secret bytes) {
  if (bytes.size() != kDataKeySize) {
    throw Error(ErrorCode::invalid_input, "a data key has " + std::to_string(kDataKeySize) +
                                              " bytes, and this one " + std::to_string(bytes.size()));
  }
  std::string id = data_key_id(bytes);
  return std::make_shared<const Key>(Key{std::move(bytes), std::move(id)});
}

Sealer::KeyPtr Sealer::key_for(std::span<const std::byte> sealed, const SealPlace& place) const {
  const std::string id = data_key_of(sealed);
  auto keys = keys_.lock();
  for (const KeyPtr& key : *keys)
    if (key->id == id) return key;
  throw Error(ErrorCode::conflict, shown(place) + " is sealed with the data key '" + id +
                                       "', which is not here (there is '" + keys->front()->id +
                                       "'): put the key back that was there, or set the value again");
}

Sealed Sealer::seal(std::string_view secret, const SealPlace& place) const {
  if (secret.size() > kMost) {
    throw Error(ErrorCode::invalid_input,
                "cannot seal " + format_bytes(secret.size()) + ": at most " + format_bytes(kMost));
  }
  const KeyPtr key = current();
  Secret own(kDataKeySize);
  fill_random(own.bytes());
  const std::string head = head_of(kVersion, key->id);
  Sealed sealed(kSealOverhead + secret.size());
  char* const begin = reinterpret_cast<char*>(sealed.data());
  std::copy(head.begin(), head.end(), begin);
  box(own.text(), key->bytes, bound_to(head, place), begin + kHead);
  box(secret, own, bound_to(place), begin + kBody);
  return sealed;
}

Secret Sealer::open(std::span<const std::byte> sealed, const SealPlace& place) const {
  check_form(sealed, place);
  const KeyPtr key = key_for(sealed, place);
  const std::string_view text = text_of(sealed);
  if (text[0] == kBareVersion)
    return check_opened(unbox(text.substr(kHead), key->bytes, bound_to(text.substr(0, kHead), place)), place);
  return check_opened(unbox(text.substr(kBody), own_key(text, key->bytes, place), bound_to(place)), place);
}

std::optional<Sealed> Sealer::renew(std::span<const std::byte> sealed, const SealPlace& place) const {
  check_form(sealed, place);
  if (text_of(sealed)[0] == kBareVersion) return seal(open(sealed, place).text(), place);
  const KeyPtr before = key_for(sealed, place), key = current();
  if (before->id == key->id) return std::nullopt;
  const Secret own = own_key(text_of(sealed), before->bytes, place);
  const std::string head = head_of(kVersion, key->id);
  Sealed renewed(sealed.begin(), sealed.end());
  char* const begin = reinterpret_cast<char*>(renewed.data());
  std::copy(head.begin(), head.end(), begin);
  box(own.text(), key->bytes, bound_to(head, place), begin + kHead);
  return renewed;
}

std::string Sealer::key_id() const {
  return current()->id;
}

std::vector<std::string> Sealer::older_ids() const {
  std::vector<std::string> ids;
  auto keys = keys_.lock();
  for (auto key = keys->begin() + 1; key != keys->end(); ++key) ids.push_back((*key)->id);
  return ids;
}

void Sealer::use_key(Secret key) {
  KeyPtr made = make_key(std::move(key));
  auto keys = keys_.lock();
  keys->insert(keys->begin(), std::move(made));
}

void Sealer::forget_key(const std::string& id) {
  auto keys = keys_.lock();
  keys->erase(
      std::remove_if(keys->begin() + 1, keys->end(), [&](const KeyPtr& key) { return key->id == id; }),
      keys->end());
}

}  // namespace runner::storage
