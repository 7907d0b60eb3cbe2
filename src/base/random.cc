#include "base/random.h"

#include <sodium.h>
#include <sys/random.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "base/check.h"

namespace etesian {

std::uint64_t Random::below(std::uint64_t bound) {
  ETESIAN_CHECK(bound > 0);
  const std::uint64_t reject_from = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const std::uint64_t r = next();
    if (r < reject_from) return r % bound;
  }
}

bool Random::chance(double probability) {
  return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
}

void Random::fill(std::span<std::byte> out) {
  for (std::size_t i = 0; i < out.size();) {
    const std::uint64_t word = next();
    const std::size_t n = std::min(sizeof word, out.size() - i);
    std::memcpy(out.data() + i, &word, n);
    i += n;
  }
}

std::uint64_t SystemRandom::next() {
  std::uint64_t word = 0;
  ETESIAN_CHECK(getrandom(&word, sizeof word, 0) == sizeof word);
  return word;
}

std::uint64_t SeededRandom::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

Uuid make_uuid7(std::int64_t unix_ms, Random& random) {
  Uuid id;
  random.fill(std::as_writable_bytes(std::span(id.bytes)));
  for (std::size_t i = 0; i < 6; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(unix_ms >> (40 - 8 * i));
  id.bytes[6] = static_cast<std::uint8_t>(0x70 | (id.bytes[6] & 0x0f));
  id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3f));
  return id;
}

Uuid uuid8_of(std::string_view seed) {
  Uuid id;
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(seed.data()), seed.size());
  std::copy_n(hash, id.bytes.size(), id.bytes.begin());
  id.bytes[6] = static_cast<std::uint8_t>(0x80 | (id.bytes[6] & 0x0f));
  id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3f));
  return id;
}

std::string to_text(const Uuid& id) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kHex[id.bytes[i] >> 4];
    out += kHex[id.bytes[i] & 15];
  }
  return out;
}

Uuid uuid_from_text(const std::string& text) {
  Uuid id;
  if (text.size() != 36) return {};
  std::size_t nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return {};
      continue;
    }
    const int c = std::tolower(static_cast<unsigned char>(text[i]));
    if (!std::isxdigit(c)) return {};
    const int value = c <= '9' ? c - '0' : c - 'a' + 10;
    std::uint8_t& byte = id.bytes[nibble / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | value);
    ++nibble;
  }
  return id;
}

}  // namespace etesian
