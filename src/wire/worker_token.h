#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace etesian::wire {

/// What a bearer token of the Execution API stands for: one launch of one task instance, or the
/// Python host itself (`is_host`: variables and connections while files are parsed, no try).
struct WorkerToken {
  std::int64_t run = 0;
  std::uint32_t task = 0;
  std::int32_t map_index = -1;
  Uuid try_id;
  std::int32_t launch = 1;
  bool is_host = false;
};

/// The token is never stored: it is its content and a keyed BLAKE2b (libsodium's generichash) over
/// it, in base64url. Whoever holds the key can check it; whether the try still lives is the
/// engine's word. `key`: 32 bytes, Vault::derive_key("worker-token").
std::string make_worker_token(const WorkerToken& token, std::string_view key);
/// nullopt: not one of ours. Compared in constant time.
std::optional<WorkerToken> read_worker_token(std::string_view text, std::string_view key);

}  // namespace etesian::wire
