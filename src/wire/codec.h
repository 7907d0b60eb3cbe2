#pragma once
#include <bit>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "wire/messages.h"

/// How a value becomes bytes: little-endian integers, u32 length before text and lists. One
/// `fields(io, record)` lists a record's fields; Writer and Reader walk the same list, so that they
/// cannot disagree. Also the form of the records in the agent's journal.
namespace etesian::wire {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class... Fields>
  void operator()(const Fields&... all) {
    (put(all), ...);
  }

 private:
  template <class T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, double>) {
      put(std::bit_cast<std::uint64_t>(value));
    } else if constexpr (std::is_same_v<T, bool>) {
      out_ += value ? '\1' : '\0';
    } else if constexpr (std::is_enum_v<T>) {
      put(static_cast<std::underlying_type_t<T>>(value));
    } else {
      static_assert(std::is_integral_v<T>);
      auto bits = static_cast<std::make_unsigned_t<T>>(value);
      for (std::size_t i = 0; i < sizeof bits; ++i) {
        out_ += static_cast<char>(bits & 0xff);
        if constexpr (sizeof bits > 1) bits = static_cast<decltype(bits)>(bits >> 8);
      }
    }
  }
  void put(const std::string& text) {
    put(static_cast<std::uint32_t>(text.size()));
    out_ += text;
  }
  void put(const Uuid& id) {
    out_.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  }
  void put(const Duration& d) { put(static_cast<std::int64_t>(d.count())); }
  void put(const Instant& t) { put(static_cast<std::int64_t>(t.time_since_epoch().count())); }
  template <class A, class B>
  void put(const std::pair<A, B>& pair) {
    put(pair.first);
    put(pair.second);
  }
  template <class T>
  void put(const std::vector<T>& list) {
    put(static_cast<std::uint32_t>(list.size()));
    for (const T& item : list) put(item);
  }

  std::string& out_;
};

/// Reads what a peer of this or the neighbouring release wrote: fields that are missing at the end
/// keep their value, bytes after the last known field are ignored.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  /// False when a field was cut in its middle or a list is longer than its bytes can be.
  bool is_good() const { return is_good_; }

  template <class... Fields>
  void operator()(Fields&... all) {
    (take_unless_at_end(all), ...);
  }

 private:
  template <class T>
  void take_unless_at_end(T& value) {
    if (is_good_ && !in_.empty()) take(value);
  }
  bool has(std::size_t bytes) { return is_good_ = is_good_ && in_.size() >= bytes; }

  template <class T>
  void take(T& value) {
    if constexpr (std::is_same_v<T, double>) {
      std::uint64_t bits = 0;
      take(bits);
      value = std::bit_cast<double>(bits);
    } else if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      take(byte);
      value = byte != 0;
    } else if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> number{};
      take(number);
      value = static_cast<T>(number);
    } else {
      static_assert(std::is_integral_v<T>);
      if (!has(sizeof value)) return;
      std::uint64_t bits = 0;
      for (std::size_t i = sizeof value; i-- > 0;)
        bits = bits << 8 | static_cast<unsigned char>(in_[i]);
      value = static_cast<T>(bits);
      in_.remove_prefix(sizeof value);
    }
  }
  void take(std::string& text) {
    std::uint32_t size = 0;
    take(size);
    if (!has(size)) return;
    text.assign(in_.substr(0, size));
    in_.remove_prefix(size);
  }
  void take(Uuid& id) {
    if (!has(id.bytes.size())) return;
    in_.copy(reinterpret_cast<char*>(id.bytes.data()), id.bytes.size());
    in_.remove_prefix(id.bytes.size());
  }
  void take(Duration& d) {
    std::int64_t count = 0;
    take(count);
    d = Duration(count);
  }
  void take(Instant& t) {
    Duration since_epoch{};
    take(since_epoch);
    t = Instant(since_epoch);
  }
  template <class A, class B>
  void take(std::pair<A, B>& pair) {
    take(pair.first);
    take(pair.second);
  }
  template <class T>
  void take(std::vector<T>& list) {
    std::uint32_t count = 0;
    take(count);
    if (!has(count)) return;  // every item needs at least a byte
    list.clear();
    for (std::uint32_t i = 0; i < count && is_good_; ++i) take(list.emplace_back());
  }

  std::string_view in_;
  bool is_good_ = true;
};

/// Fields in wire order; new ones are only ever appended. (`Record` is const when it is written.)
template <class Io, class Record>
void fields(Io& io, Record& r) {
  using T = std::remove_const_t<Record>;
  if constexpr (std::is_same_v<T, Hello>) {
    io(r.protocol, r.agent_id, r.session, r.host, r.pid, r.slots, r.capabilities);
  } else if constexpr (std::is_same_v<T, Holding>) {
    io(r.state, r.try_id, r.launch);
  } else if constexpr (std::is_same_v<T, Started>) {
    io(r.try_id, r.launch, r.pid, r.at, r.log_segment, r.log_offset);
  } else if constexpr (std::is_same_v<T, ExitRecord>) {
    io(r.try_id, r.launch, r.cause, r.exit_code, r.raw_status, r.message, r.log_matched, r.output,
       r.started_at, r.ended_at, r.log_lines, r.log_bytes, r.log_hash, r.log_cut, r.log_segment,
       r.log_offset);
  } else if constexpr (std::is_same_v<T, Ended>) {
    fields(io, r.record);
  } else if constexpr (std::is_same_v<T, Refused>) {
    io(r.reason, r.try_id, r.launch, r.message);
  } else if constexpr (std::is_same_v<T, Beat>) {
    io(r.at, r.running, r.trouble);
  } else if constexpr (std::is_same_v<T, Welcome>) {
    io(r.protocol, r.server_time);
  } else if constexpr (std::is_same_v<T, StartTry>) {
    io(r.try_id, r.launch, r.session, r.label, r.argv, r.environment, r.working_folder, r.timeout,
       r.kill_grace, r.cpu, r.memory_bytes, r.output_bytes_max, r.secrets, r.log_pattern,
       r.is_bash_operator, r.has_own_folder);
  } else if constexpr (std::is_same_v<T, Stop>) {
    io(r.try_id, r.launch, r.grace, r.reason);
  } else if constexpr (std::is_same_v<T, Revoke> || std::is_same_v<T, Acknowledge> ||
                       std::is_same_v<T, Inquire>) {
    io(r.try_id, r.launch);
  } else {
    static_assert(std::is_empty_v<T>);
  }
}

}  // namespace etesian::wire
