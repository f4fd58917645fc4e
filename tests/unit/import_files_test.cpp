// What an import does to files: its target is begun only when there is something to write.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "daemon/import/files.hpp"
#include "daemon/import/import.hpp"
#include "tests/support/temp_directory.hpp"

namespace segmentd {
namespace {

using test::content_of;

constexpr const char* kOrders = "who,when,paid\n7,1997-01-02,1\n";
constexpr const char* kKept = "of before\n";

struct ImportFiles : testing::Test {
  ImportFiles() {
    options.columns = *parse_columns("customer=who,time=when,amount=paid");
    options.currency = "USD";
    options.input = directory.file("orders.csv", kOrders);
    directory.file("target", kKept);
  }
  std::string target() const { return content_of(directory.path("target")); }
  /// Why it was refused; empty = it was not.
  std::string refusal() const {
    const auto done = run_import(options, *FileSink::later(directory.path("target")));
    return done ? std::string() : done.error().what;
  }

  test::TempDirectory directory;
  ImportOptions options;
};

TEST_F(ImportFiles, ARefusedImportLeavesItsTargetAlone) {
  const ImportOptions sound = options;
  const auto refused_with = [&](auto change) {
    options = sound;
    change(options);
    return refusal();
  };
  EXPECT_NE(refused_with([](auto& o) { o.columns.time = "date"; }), "");
  EXPECT_NE(refused_with([](auto& o) { o.currency = "usd"; }), "");
  EXPECT_NE(refused_with([](auto& o) { o.time_zone = "Nowhere"; }), "");
  EXPECT_NE(refused_with([](auto& o) { o.input += "?"; }), "");
  EXPECT_NE(refused_with([](auto& o) { o.layout = Layout::kOnlineRetail; }), "") << "its header";
  EXPECT_NE(refused_with([](auto& o) { o.sort_by_time = true, o.columns.amount = "9"; }), "");
  const std::string unread = refused_with([](auto& o) { o.time_format = "%d.%m.%Y"; });
  EXPECT_NE(unread.find("skipped 1 bad_time, at line 2"), std::string::npos) << unread;
  EXPECT_EQ(target(), kKept);
  EXPECT_EQ(refused_with([](auto&) {}), "");
  EXPECT_NE(target().find("1997-01-02"), std::string::npos);
}

TEST_F(ImportFiles, AHistoryWithoutRowsGivesAnEmptyTarget) {
  options.input = directory.file("orders.csv", "who,when,paid\n");
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(target(), "");
}

TEST_F(ImportFiles, ARefusedExtractLeavesItsTargetAloneToo) {
  options.layout = Layout::kOnlineRetail;
  const std::string path = directory.path("target");
  EXPECT_FALSE(write_extract(options, *FileSink::later(path))) << "no raw lines";
  EXPECT_EQ(target(), kKept);
  options.input =
      directory.file("raw.csv", "InvoiceNo,Quantity,InvoiceDate,UnitPrice,CustomerID\n");
  EXPECT_TRUE(write_extract(options, *FileSink::later(path)));
  EXPECT_EQ(target(), "invoice,customer,time,amount\n");
}

TEST_F(ImportFiles, OneFileIsKnownUnderAllItsNames) {
  const std::string orders = directory.path("orders.csv");
  std::filesystem::create_hard_link(orders, directory.path("hard"));
  std::filesystem::create_symlink(orders, directory.path("soft"));
  for (const char* name : {"orders.csv", "./orders.csv", "hard", "soft"}) {
    EXPECT_TRUE(is_read_and_written(orders, directory.path(name))) << name;
    EXPECT_TRUE(is_written_twice(orders, directory.path(name))) << name;
  }
  EXPECT_FALSE(is_read_and_written(orders, directory.path("target")));
  EXPECT_FALSE(is_read_and_written(orders, directory.path("absent")));
  EXPECT_FALSE(is_read_and_written(orders, "-"));
  EXPECT_FALSE(is_read_and_written("/dev/null", "/dev/null"));
  EXPECT_TRUE(is_written_twice(directory.path("absent"), directory.path("./absent")));
  EXPECT_FALSE(is_written_twice(directory.path("absent"), directory.path("target")));
  EXPECT_FALSE(is_written_twice("/dev/null", "/dev/null"));
  EXPECT_TRUE(is_written_twice("-", "-"));
}

TEST_F(ImportFiles, AreLookedAtWithoutBeingOpened) {
  EXPECT_TRUE(check_readable(options.input));
  EXPECT_TRUE(check_readable("-"));
  EXPECT_TRUE(check_writable(directory.path("target")));
  EXPECT_TRUE(check_writable(directory.path("new")));
  EXPECT_TRUE(check_writable("new"));
  EXPECT_TRUE(check_writable("-"));
  EXPECT_EQ(target(), kKept);
  EXPECT_FALSE(std::filesystem::exists(directory.path("new")));
  for (const auto check : {check_readable, check_writable}) {
    for (const char* name : {".", "absent/file", "target/file"}) {
      const auto checked = check(directory.path(name));
      ASSERT_FALSE(checked) << name;
      EXPECT_EQ(checked.error().code, Errc::kUnavailable);
      EXPECT_NE(checked.error().what.find(directory.path(name)), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace segmentd
