#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "logs/reader.h"
#include "logs/writer.h"

namespace etesian::logs {
namespace {

class LogStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/etesian-test.XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    open();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() {
    store_.reset();
    auto opened = SegmentStore::open(folder_);
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
  }
  static Uuid id(std::uint8_t n) {
    Uuid out;
    out.bytes[0] = n;
    return out;
  }
  void write(TryLog& log, const std::string& text, std::uint8_t flags = 0) {
    log.append(1, flags, text, {1'000, 2'000});
    ASSERT_TRUE(store_->flush());
  }
  Page read(const Uuid& try_id, const TryLog& log, std::uint64_t from = 1,
            std::size_t lines = 1'000'000) {
    const auto page =
        Reader(folder_).read(try_id, log.segment(), log.offset(), from, lines, 64UL << 20);
    EXPECT_TRUE(page);
    return page ? *page : Page{};
  }
  static std::string text(const Page& page) {
    std::string out;
    for (const Line& line : page.lines) {
      if (line.missing_before != 0)
        out += "-- " + std::to_string(line.missing_before) + " missing --\n";
      out += std::to_string(line.seq) + " " + line.bytes + "\n";
    }
    return out + (page.complete ? "(end)" : "(running)");
  }

  std::string folder_;
  std::unique_ptr<SegmentStore> store_;
};

TEST_F(LogStoreTest, Tries_that_share_a_segment_are_read_apart) {
  TryLog a = store_->begin(id(1)), b = store_->begin(id(2));
  write(a, "a one");
  write(b, "b one");
  write(a, "a two");
  a.end(0, {});
  ASSERT_TRUE(store_->flush());
  EXPECT_EQ(text(read(id(1), a)), "1 a one\n2 a two\n(end)");
  EXPECT_EQ(text(read(id(2), b)), "1 b one\n(running)");
  EXPECT_EQ(a.segment(), b.segment());
}

TEST_F(LogStoreTest, A_large_log_moves_to_its_own_segment_and_any_page_of_it_is_there) {
  TryLog log = store_->begin(id(1));
  for (int i = 1; i <= 20'000; ++i)
    log.append(1, 0, "line " + std::to_string(i) + std::string(40, '.'), {});
  log.end(0, {});
  ASSERT_TRUE(store_->flush());
  const Page page = read(id(1), log, 19'998, 2);
  ASSERT_EQ(page.lines.size(), 2U);
  EXPECT_EQ(page.lines[0].bytes, "line 19998" + std::string(40, '.'));
  EXPECT_EQ(page.next_seq, 20'000U);
  EXPECT_FALSE(page.complete);
  const auto verdict = Reader(folder_).verify(id(1), log.segment(), log.offset(),
                                              {log.lines(), log.bytes(), log.hash(), false});
  ASSERT_TRUE(verdict);
  EXPECT_TRUE(verdict->complete) << verdict->message;
  EXPECT_EQ(verdict->lines_found, 20'000U);
}

TEST_F(LogStoreTest, A_torn_tail_is_trimmed_and_numbering_goes_on) {
  std::uint64_t segment = 0, offset = 0;
  {
    TryLog log = store_->begin(id(1));
    write(log, "one");
    write(log, "two");
    segment = log.segment(), offset = log.offset();
  }
  store_.reset();
  const std::string path = segment_path(folder_, segment);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 3);
  open();
  TryLog log = store_->resume(id(1), segment, offset);
  EXPECT_EQ(log.lines(), 1U);
  write(log, "two again");
  EXPECT_EQ(text(read(id(1), log)), "1 one\n2 two again\n(running)");
  const auto verdict =
      Reader(folder_).verify(id(1), segment, offset, {2, log.bytes(), log.hash(), false});
  ASSERT_TRUE(verdict);
  EXPECT_TRUE(verdict->complete) << verdict->message;
}

TEST_F(LogStoreTest, A_damaged_line_is_shown_as_a_gap) {
  TryLog log = store_->begin(id(1));
  write(log, "one");
  const auto damaged_at =
      static_cast<std::streamoff>(std::filesystem::file_size(segment_path(folder_, log.segment())));
  write(log, "two");
  write(log, "three");
  std::fstream file(segment_path(folder_, log.segment()),
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(damaged_at + static_cast<std::streamoff>(kFrameHead));
  file.put('X');
  file.close();
  EXPECT_EQ(text(read(id(1), log)), "1 one\n-- 1 missing --\n3 three\n(running)");
  const auto verdict = Reader(folder_).verify(id(1), log.segment(), log.offset(),
                                              {log.lines(), log.bytes(), log.hash(), false});
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->message, "incomplete: 2 of 3 lines, 8 of 11 bytes");
}

TEST_F(LogStoreTest, Retention_removes_old_segments_but_none_of_a_running_try) {
  TryLog running = store_->begin(id(1));
  write(running, "kept");
  std::uint64_t old_segment = 0;
  {
    TryLog old = store_->begin(id(2));
    for (int i = 0; i < 3000; ++i) old.append(1, 0, std::string(1000, 'x'), {});
    ASSERT_TRUE(store_->flush());
    old_segment = running.segment() + 1;
  }
  ASSERT_TRUE(store_->sync());
  store_->remove_old(1, Duration(0), Instant{});
  EXPECT_FALSE(std::filesystem::exists(segment_path(folder_, old_segment)));
  EXPECT_EQ(text(read(id(1), running)), "1 kept\n(running)");
}

TEST_F(LogStoreTest, A_log_removed_by_retention_is_said_to_be_removed) {
  const auto page = Reader(folder_).read(id(9), 77, 0, 1, 10, 1000);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace etesian::logs
