#include "agent/slots.h"

#include <sys/mman.h>

#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "wire/codec.h"

namespace etesian::agent {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSecretsAt = kPage + 2 * kStreamCapacity;
constexpr std::size_t kSlotSize = kSecretsAt + kSecretsCapacity;
static_assert(sizeof(SlotState) <= kPage);

}  // namespace

Result<Slots> Slots::make(std::uint32_t count) {
  void* const memory = ::mmap(nullptr, kSlotSize * count, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return Error{ErrorCode::Unavailable, "reserve memory for tasks: not enough address space"};
  Slots slots;
  slots.memory_ = static_cast<char*>(memory);
  slots.count_ = count;
  return slots;
}

char* Slots::at(std::uint32_t slot) const {
  ETESIAN_CHECK(slot < count_);
  return memory_ + slot * kSlotSize;
}

SlotState& Slots::state(std::uint32_t slot) const {
  return *std::launder(reinterpret_cast<SlotState*>(at(slot)));
}

char* Slots::buffer(std::uint32_t slot, int stream) const {
  return at(slot) + kPage + static_cast<std::size_t>(stream) * kStreamCapacity;
}

bool Slots::keep_secrets(std::uint32_t slot, const std::vector<std::string>& secrets) const {
  if (secrets.empty()) return true;
  std::string text;
  wire::Writer writer(text);
  writer(secrets);
  if (text.size() > kSecretsCapacity) return false;
  std::memcpy(at(slot) + kSecretsAt, text.data(), text.size());
  state(slot).secrets_size = static_cast<std::uint32_t>(text.size());
  return true;
}

std::vector<std::string> Slots::secrets(std::uint32_t slot) const {
  std::vector<std::string> out;
  wire::Reader reader(std::string_view(at(slot) + kSecretsAt, state(slot).secrets_size));
  reader(out);
  return out;
}

void Slots::clear(std::uint32_t slot) const {
  SlotState& s = state(slot);
  s.try_id = {};
  s.launch = 0;
  s.pid = 0;
  std::memset(at(slot) + kSecretsAt, 0, std::exchange(s.secrets_size, 0));
  for (StreamState& stream : s.streams) {
    stream.is_reading = 0;
    stream.batch_frames = 0;
    stream.span = 0;
  }
}

}  // namespace etesian::agent
