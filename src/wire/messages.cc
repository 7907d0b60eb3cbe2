#include "wire/messages.h"

#include "wire/codec.h"

namespace etesian::wire {
namespace {

constexpr std::size_t kFrameMax = 16UL << 20;
constexpr std::size_t kLengthSize = 4;

std::uint32_t u32_at(std::string_view in) {
  std::uint32_t value = 0;
  for (std::size_t i = kLengthSize; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(in[i]);
  return value;
}

/// A default message of the variant's alternative `kind`.
template <std::size_t I = 0>
Message make_of_kind(std::size_t kind) {
  if constexpr (I < std::variant_size_v<Message>) {
    if (kind == I) return std::variant_alternative_t<I, Message>{};
    return make_of_kind<I + 1>(kind);
  }
  return Hello{};
}

bool has_known_enumerators(const Message& message) {
  if (const auto* holding = std::get_if<Holding>(&message))
    return holding->state <= Holding::State::Revoked;
  if (const auto* refused = std::get_if<Refused>(&message))
    return refused->reason <= Refused::Reason::Busy;
  return true;
}

Error corrupt(const char* cause) {
  return {ErrorCode::Corrupt, std::string("read message: ") + cause};
}

}  // namespace

std::string encode(const Message& message) {
  std::string out(kLengthSize, '\0');
  out += static_cast<char>(message.index());
  Writer writer(out);
  std::visit([&](const auto& m) { fields(writer, m); }, message);
  auto length = static_cast<std::uint32_t>(out.size() - kLengthSize);
  for (std::size_t i = 0; i < kLengthSize; ++i, length >>= 8)
    out[i] = static_cast<char>(length & 0xff);
  return out;
}

Result<std::vector<Message>> take_messages(std::string& buffer) {
  std::vector<Message> out;
  std::string_view rest = buffer;
  while (rest.size() >= kLengthSize) {
    const std::size_t length = u32_at(rest);
    if (length == 0 || length > kFrameMax) return corrupt("its length is out of range");
    if (rest.size() - kLengthSize < length) break;
    const std::string_view frame = rest.substr(kLengthSize, length);
    const auto kind = static_cast<std::size_t>(static_cast<unsigned char>(frame[0]));
    if (kind >= std::variant_size_v<Message>) return corrupt("its kind is unknown");
    Message message = make_of_kind(kind);
    Reader reader(frame.substr(1));
    std::visit([&](auto& m) { fields(reader, m); }, message);
    if (!reader.is_good() || !has_known_enumerators(message))
      return corrupt("a field is out of range");
    out.push_back(std::move(message));
    rest.remove_prefix(kLengthSize + length);
  }
  buffer.erase(0, buffer.size() - rest.size());
  return out;
}

}  // namespace etesian::wire
