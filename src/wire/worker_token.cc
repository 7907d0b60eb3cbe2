#include "wire/worker_token.h"

#include <sodium.h>

#include "base/check.h"
#include "wire/codec.h"

namespace etesian::wire {
namespace {

constexpr std::size_t kKeyBytes = crypto_generichash_KEYBYTES;
constexpr std::size_t kMacBytes = crypto_generichash_BYTES;
constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
/// Longer than any token; nothing larger is decoded.
constexpr std::size_t kTextBytesMax = 256;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string content_of(const WorkerToken& token) {
  std::string content = "T";  // The first form; another one begins with another letter.
  Writer write(content);
  write(token.run, token.task, token.map_index, token.try_id, token.launch, token.is_host);
  return content;
}

std::string mac_of(std::string_view content, std::string_view key) {
  ETESIAN_CHECK(key.size() == kKeyBytes);
  std::string mac(kMacBytes, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(mac.data()), mac.size(), bytes(content),
                     content.size(), bytes(key), key.size());
  return mac;
}

std::string encoded(std::string_view data) {
  std::string text(sodium_base64_ENCODED_LEN(data.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes(data), data.size(), kVariant);
  text.pop_back();  // The terminating zero.
  return text;
}

}  // namespace

std::string make_worker_token(const WorkerToken& token, std::string_view key) {
  std::string record = content_of(token);
  record += mac_of(record, key);
  return encoded(record);
}

std::optional<WorkerToken> read_worker_token(std::string_view text, std::string_view key) {
  if (text.size() > kTextBytesMax) return std::nullopt;
  std::string record(text.size(), '\0');
  std::size_t size = 0;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(record.data()), record.size(), text.data(),
                        text.size(), nullptr, &size, nullptr, kVariant) != 0)
    return std::nullopt;
  record.resize(size);
  // One token has one text: what the decoder is lenient about is refused.
  if (size < kMacBytes || encoded(record) != text) return std::nullopt;
  const std::string_view content = std::string_view(record).substr(0, size - kMacBytes);
  const std::string mac = mac_of(content, key);
  if (sodium_memcmp(mac.data(), record.data() + content.size(), kMacBytes) != 0)
    return std::nullopt;
  WorkerToken token;
  Reader read(content.substr(1));
  read(token.run, token.task, token.map_index, token.try_id, token.launch, token.is_host);
  if (!read.is_good() || content_of(token) != content) return std::nullopt;
  return token;
}

}  // namespace etesian::wire
