#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace etesian {

/// Seals secrets for storage: XChaCha20-Poly1305, key id in the record, `place`
/// ("variable/x/value") as associated data so that records cannot be swapped. Thread-safe.
class Vault {
 public:
  /// Reads the key file, or makes it (mode 0600) when it does not exist.
  /// Errors: Corrupt (not a key), Denied (readable by others), NotFound (its folder), Unavailable.
  static Result<std::shared_ptr<Vault>> open(const std::string& key_file);

  std::string seal(std::string_view plain, std::string_view place) const;  ///< Base64 text.
  /// Errors: Corrupt (changed, moved, or sealed with another key: the message says which).
  Result<std::string> unseal(std::string_view sealed, std::string_view place) const;

  /// 32 bytes that follow from the key and `purpose` alone: the key of another mechanism.
  std::string derive_key(std::string_view purpose) const;

  ~Vault();

 private:
  struct Key;
  explicit Vault(std::unique_ptr<Key> key);
  std::unique_ptr<Key> key_;
};

}  // namespace etesian
