#include "engine/vault.h"

#include <sodium.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/file.h"

namespace etesian {
namespace {
constexpr std::size_t kKeyIdBytes = 4;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
}  // namespace

struct Vault::Key {
  unsigned char secret[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
  std::string id;  ///< First bytes of the secret's digest: says which key sealed a record.
  ~Key() { sodium_memzero(secret, sizeof secret); }
};

Vault::Vault(std::unique_ptr<Key> key) : key_(std::move(key)) {}
Vault::~Vault() = default;

Result<std::shared_ptr<Vault>> Vault::open(const std::string& key_file) {
  ETESIAN_CHECK(sodium_init() >= 0);
  struct stat info {};
  if (stat(key_file.c_str(), &info) == 0 && (info.st_mode & 077) != 0)
    return Error{ErrorCode::Denied, "open key '" + key_file +
                                        "': others may read it; run chmod 600 on it and, if it was "
                                        "exposed, seal everything anew"};
  auto text = read_file(key_file, 1024);
  if (!text && text.error().code != ErrorCode::NotFound) return text.error();
  if (!text) {
    std::string fresh(sizeof Key::secret, '\0');
    randombytes_buf(fresh.data(), fresh.size());
    if (auto written = write_file_durably(key_file, fresh); !written) return written.error();
    text = fresh;
  }
  if (text->size() != sizeof Key::secret)
    return Error{ErrorCode::Corrupt, "open key '" + key_file + "': is not a key of 32 bytes"};
  auto key = std::make_unique<Key>();
  std::copy(text->begin(), text->end(), key->secret);
  unsigned char digest[crypto_generichash_BYTES];
  crypto_generichash(digest, sizeof digest, bytes(*text), text->size(), nullptr, 0);
  key->id.assign(reinterpret_cast<const char*>(digest), kKeyIdBytes);
  sodium_memzero(text->data(), text->size());
  return std::shared_ptr<Vault>(new Vault(std::move(key)));
}

std::string Vault::seal(std::string_view plain, std::string_view place) const {
  std::string record = key_->id;
  record.resize(kKeyIdBytes + kNonceBytes + plain.size() + kTagBytes);
  auto* out = reinterpret_cast<unsigned char*>(record.data()) + kKeyIdBytes;
  randombytes_buf(out, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out + kNonceBytes, nullptr, bytes(plain), plain.size(),
                                             bytes(place), place.size(), nullptr, out,
                                             key_->secret);
  return base64(record);
}

Result<std::string> Vault::unseal(std::string_view sealed, std::string_view place) const {
  std::string record(sealed.size(), '\0');
  std::size_t length = 0;
  const bool is_base64 = sodium_base642bin(reinterpret_cast<unsigned char*>(record.data()),
                                           record.size(), sealed.data(), sealed.size(), nullptr,
                                           &length, nullptr, sodium_base64_VARIANT_ORIGINAL) == 0;
  record.resize(length);
  // libsodium reads some bytes above 127 as '+' or '/': only the one text that `seal` writes is
  // taken.
  if (!is_base64 || length < kKeyIdBytes + kNonceBytes + kTagBytes || base64(record) != sealed)
    return Error{ErrorCode::Corrupt, "unseal " + std::string(place) + ": not a sealed record"};
  if (record.compare(0, kKeyIdBytes, key_->id) != 0)
    return Error{ErrorCode::Corrupt,
                 "unseal " + std::string(place) +
                     ": sealed with another key; restore the key file that was in "
                     "use then, or set the value again"};
  const auto* in = reinterpret_cast<const unsigned char*>(record.data()) + kKeyIdBytes;
  std::string plain(length - kKeyIdBytes - kNonceBytes - kTagBytes, '\0');
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          reinterpret_cast<unsigned char*>(plain.data()), nullptr, nullptr, in + kNonceBytes,
          length - kKeyIdBytes - kNonceBytes, bytes(place), place.size(), in, key_->secret) != 0)
    return Error{ErrorCode::Corrupt, "unseal " + std::string(place) +
                                         ": the record was changed or belongs to another place"};
  return plain;
}

std::string Vault::derive_key(std::string_view purpose) const {
  // Keyed with the secret, which seals records by another algorithm: neither tells of the other.
  const std::string label = "etesian key: " + std::string(purpose);
  std::string derived(32, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(derived.data()), derived.size(), bytes(label),
                     label.size(), key_->secret, sizeof key_->secret);
  return derived;
}

}  // namespace etesian
