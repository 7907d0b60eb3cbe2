#include "logs/writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <system_error>
#include <utility>

namespace etesian::logs {

struct Segment {
  std::uint64_t number = 0;
  Fd file;
  std::string buffer;  ///< Follows `written` in the file.
  std::uint64_t written = 0;
  bool is_unsynced = false;
  bool is_shared = true;
  int tries = 0;
  Fd index;  ///< Of a segment of one try.
  std::uint64_t indexed_at = 0;
  std::uint64_t end() const { return written + buffer.size(); }
};

namespace {

constexpr std::uint64_t kSharedMax = 4UL << 20;     ///< Then new tries get a new shared segment.
constexpr std::uint64_t kSharePerTry = 64UL << 10;  ///< Then a try moves to its own segment.
constexpr std::uint64_t kOwnMax = 64UL << 20;
constexpr std::uint64_t kIndexStep = 256UL << 10;

Error errno_error(const char* action, const std::string& what) {
  return {ErrorCode::Unavailable,
          std::string(action) + " '" + what + "': " + std::generic_category().message(errno)};
}

std::int64_t clock_ns(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

/// Numbers of all segments in `folder`, ascending.
std::vector<std::uint64_t> segment_numbers(const std::string& folder) {
  std::vector<std::uint64_t> out;
  DIR* const list = ::opendir(folder.c_str());
  if (list == nullptr) return out;
  while (const dirent* entry = ::readdir(list)) {
    const std::string_view name = entry->d_name;
    if (name.size() == 20 && name.substr(16) == ".seg")
      out.push_back(std::strtoull(std::string(name.substr(0, 16)).c_str(), nullptr, 16));
  }
  ::closedir(list);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Stamp Stamp::now() { return {clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_MONOTONIC)}; }

TryLog::TryLog(SegmentStore* store, Segment* at, const Uuid& id)
    : store_(store),
      segment_(at),
      id_(id),
      first_segment_(at->number),
      first_offset_(at->end()),
      hash_(std::make_unique<LogHash>()) {
  ++segment_->tries;
}

TryLog::TryLog(TryLog&& other) noexcept
    : store_(other.store_),
      segment_(std::exchange(other.segment_, nullptr)),
      id_(other.id_),
      first_segment_(other.first_segment_),
      first_offset_(other.first_offset_),
      lines_(other.lines_),
      bytes_(other.bytes_),
      stored_here_(other.stored_here_),
      has_ended_(other.has_ended_),
      is_cut_(other.is_cut_),
      hash_(std::move(other.hash_)) {}

TryLog::~TryLog() {
  if (segment_ != nullptr) store_->release(segment_);
}

void TryLog::append(std::uint8_t stream, std::uint8_t flags, std::string_view bytes,
                    const Stamp& at) {
  if (has_ended_) return;
  move_if_large(at);
  Frame frame{stream, flags, ++lines_, at.wall_ns, at.monotonic_ns, id_, bytes};
  if (!segment_->is_shared && segment_->end() >= segment_->indexed_at + kIndexStep) {
    store_->add_index_entry(*segment_, frame.seq, segment_->end());
    segment_->indexed_at = segment_->end();
  }
  append_frame(segment_->buffer, frame);
  hash_->add(frame);
  bytes_ += bytes.size();
  stored_here_ += kFrameSize + bytes.size();
  store_->buffered_ += kFrameSize + bytes.size();
}

void TryLog::end(std::uint8_t flags, const Stamp& at) {
  if (has_ended_) return;
  has_ended_ = true;
  is_cut_ = (flags & kCut) != 0;
  append_frame(segment_->buffer, {.stream = 3,
                                  .flags = static_cast<std::uint8_t>(kEnd | flags),
                                  .wall_ns = at.wall_ns,
                                  .monotonic_ns = at.monotonic_ns,
                                  .try_id = id_,
                                  .bytes = {}});
  store_->buffered_ += kFrameSize;
}

void TryLog::move_if_large(const Stamp& at) {
  const bool is_full = stored_here_ > (segment_->is_shared ? kSharePerTry : kOwnMax);
  if (!is_full) return;
  Segment* const next = store_->new_segment();
  if (next == nullptr) return;  // no new file now: the old segment grows until there can be one
  const std::string_view number(reinterpret_cast<const char*>(&next->number), sizeof next->number);
  append_frame(segment_->buffer, {.stream = 3,
                                  .flags = kMoved,
                                  .wall_ns = at.wall_ns,
                                  .monotonic_ns = at.monotonic_ns,
                                  .try_id = id_,
                                  .bytes = number});
  store_->buffered_ += kFrameSize + number.size();
  if (!segment_->is_shared)
    store_->add_index_entry(*segment_, kIndexMoved | (lines_ + 1), next->number);
  next->is_shared = false;
  ++next->tries;
  store_->release(std::exchange(segment_, next));
  stored_here_ = 0;
}

Result<std::unique_ptr<SegmentStore>> SegmentStore::open(const std::string& folder) {
  if (const auto made = make_folders(folder); !made) return made.error();
  std::unique_ptr<SegmentStore> store(new SegmentStore(folder));
  const auto numbers = segment_numbers(folder);
  if (!numbers.empty()) store->next_number_ = numbers.back() + 1;
  if (store->current() == nullptr) return errno_error("create log segment in", folder);
  return store;
}

SegmentStore::SegmentStore(std::string folder) : folder_(std::move(folder)) {}

SegmentStore::~SegmentStore() {
  if (const auto flushed = flush(); flushed) static_cast<void>(sync());
}

Segment* SegmentStore::open_segment(std::uint64_t number) {
  if (const auto found = segments_.find(number); found != segments_.end())
    return found->second.get();
  Fd file(::open(segment_path(folder_, number).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return nullptr;
  auto segment = std::make_unique<Segment>();
  segment->number = number;
  segment->file = std::move(file);
  has_new_files_ = true;
  return (segments_[number] = std::move(segment)).get();
}

Segment* SegmentStore::new_segment() {
  Segment* const made = open_segment(next_number_);
  if (made != nullptr) ++next_number_;
  return made;
}

Segment* SegmentStore::current() {
  if (current_ != nullptr && current_->end() < kSharedMax) return current_;
  Segment* const next = new_segment();
  if (next == nullptr) return current_;
  Segment* const old = std::exchange(current_, next);
  ++next->tries;
  if (old != nullptr) release(old);
  return current_;
}

TryLog SegmentStore::begin(const Uuid& id) { return TryLog(this, current(), id); }

TryLog SegmentStore::resume(const Uuid& id, std::uint64_t number, std::uint64_t offset) {
  TryLog log = begin(id);
  std::uint64_t at = offset;
  bool is_first = true;
  for (std::uint64_t next = number; next != 0; is_first = false, at = 0) {
    struct stat info {};
    const bool is_open = segments_.count(next) != 0;
    if (::stat(segment_path(folder_, next).c_str(), &info) != 0) break;
    Segment* const segment = open_segment(next);
    if (segment == nullptr) break;
    if (is_open && !flush_one(*segment)) break;
    log.stored_here_ = 0;
    const std::uint64_t here = std::exchange(next, 0);
    FrameScanner scanner(segment->file.get(), at);
    std::uint64_t end_of_frames = at;
    do {
      for (; const auto frame = scanner.next(); end_of_frames = scanner.offset()) {
        if (frame->try_id != id) continue;
        if ((frame->flags & kMoved) != 0) next = frame->next_segment();
        if ((frame->flags & kEnd) != 0) {
          log.has_ended_ = true;
          log.is_cut_ = (frame->flags & kCut) != 0;
        }
        log.stored_here_ += kFrameSize + frame->bytes.size();
        if (!frame->is_line() || frame->seq <= log.lines_) continue;
        log.lines_ = frame->seq;
        log.bytes_ += frame->bytes.size();
        log.hash_->add(*frame);
      }
    } while (scanner.is_damaged() && scanner.skip_damage(id));
    if (!is_open) {
      // What follows the last whole frame was torn off by the end of the last agent.
      segment->written = std::min(end_of_frames, static_cast<std::uint64_t>(info.st_size));
      if (::ftruncate(segment->file.get(), static_cast<off_t>(segment->written)) != 0) break;
    }
    if (is_first) log.first_segment_ = number, log.first_offset_ = offset;
    segment->is_shared = here == number;
    ++segment->tries;
    release(std::exchange(log.segment_, segment));
  }
  return log;
}

void SegmentStore::add_index_entry(Segment& segment, std::uint64_t seq, std::uint64_t target) {
  if (!segment.index)
    segment.index = Fd(::open(index_path(folder_, segment.number).c_str(),
                              O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const std::uint64_t entry[2] = {seq, target};
  // A hint only: a missing or wrong entry costs the reader a longer scan.
  if (segment.index && ::write(segment.index.get(), entry, sizeof entry) != sizeof entry)
    segment.index.reset();
}

void SegmentStore::release(Segment* segment) {
  if (--segment->tries == 0 && segment->buffer.empty() && !segment->is_unsynced)
    segments_.erase(segment->number);
}

bool SegmentStore::flush_one(Segment& segment) {
  while (!segment.buffer.empty()) {
    const ssize_t n = ::pwrite(segment.file.get(), segment.buffer.data(), segment.buffer.size(),
                               static_cast<off_t>(segment.written));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    segment.written += static_cast<std::uint64_t>(n);
    buffered_ -= static_cast<std::size_t>(n);
    segment.is_unsynced = true;
    if (static_cast<std::size_t>(n) == segment.buffer.size()) {
      segment.buffer.clear();
      break;
    }
    segment.buffer.erase(0, static_cast<std::size_t>(n));
  }
  return true;
}

Result<Done> SegmentStore::flush() {
  if (buffered_ == 0) return Done{};
  // Ascending: a moved frame is stored before the lines it leads to.
  for (const auto& [number, segment] : segments_)
    if (!flush_one(*segment)) return errno_error("write log segment in", folder_);
  return Done{};
}

Result<Done> SegmentStore::sync() {
  if (has_new_files_) {
    const Fd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::fsync(folder.get()) != 0) return errno_error("sync log folder", folder_);
    has_new_files_ = false;
  }
  for (auto at = segments_.begin(); at != segments_.end();) {
    Segment& segment = *at->second;
    if (segment.is_unsynced && ::fdatasync(segment.file.get()) != 0)
      return errno_error("sync log segment in", folder_);
    segment.is_unsynced = false;
    at = segment.tries == 0 && segment.buffer.empty() ? segments_.erase(at) : std::next(at);
  }
  return Done{};
}

void SegmentStore::remove_old(std::uint64_t bytes_max, Duration age_max, Instant now) {
  if (bytes_max == 0 && age_max.count() == 0) return;
  struct Stored {
    std::uint64_t number, bytes;
    Instant written_at;
  };
  std::vector<Stored> all;
  std::uint64_t sum = 0;
  for (const std::uint64_t number : segment_numbers(folder_)) {
    struct stat info {};
    if (::stat(segment_path(folder_, number).c_str(), &info) != 0) continue;
    all.push_back({number, static_cast<std::uint64_t>(info.st_size),
                   Instant(std::chrono::seconds(info.st_mtim.tv_sec))});
    sum += all.back().bytes;
  }
  for (const Stored& segment : all) {
    const bool is_too_much = bytes_max != 0 && sum > bytes_max;
    const bool is_too_old = age_max.count() != 0 && segment.written_at + age_max < now;
    if (segments_.count(segment.number) != 0 || (!is_too_much && !is_too_old)) continue;
    ::unlink(segment_path(folder_, segment.number).c_str());
    ::unlink(index_path(folder_, segment.number).c_str());
    sum -= segment.bytes;
  }
}

}  // namespace etesian::logs
