#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace etesian {

/// The only source of randomness; a simulation passes a seeded one and gets the same history.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;          ///< 64 uniform bits.
  std::uint64_t below(std::uint64_t bound);  ///< Uniform in [0, bound); bound > 0.
  bool chance(double probability);           ///< True with the given probability.
  void fill(std::span<std::byte> out);
};

/// getrandom(2): for ids, tokens and keys.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

/// SplitMix64: equal seeds give equal sequences on every platform.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override;

 private:
  std::uint64_t state_;
};

/// 128-bit identifier of a try, an agent's session or a token. Compared and stored as 16 bytes.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  bool is_nil() const { return *this == Uuid{}; }
};

/// RFC 9562 version 7: 48 bits of milliseconds since 1970 (so that ids sort by creation), then
/// random.
Uuid make_uuid7(std::int64_t unix_ms, Random& random);
/// RFC 9562 version 8: a function of `seed`.
Uuid uuid8_of(std::string_view seed);
/// Lower-case 8-4-4-4-12 form.
std::string to_text(const Uuid& id);
/// Nil when the text is not a uuid in the form that `to_text` writes (either case).
Uuid uuid_from_text(const std::string& text);

}  // namespace etesian

template <>
struct std::hash<etesian::Uuid> {
  std::size_t operator()(const etesian::Uuid& id) const noexcept {
    std::size_t h = 0;
    for (int i = 8; i < 16; ++i) h = h << 8 | id.bytes[static_cast<std::size_t>(i)];
    return h;
  }
};
