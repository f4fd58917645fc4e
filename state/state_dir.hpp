// The state directory of one process: who holds it, who it belongs to, and where each partition
// lies.
//
//   <directory>/LOCK           held (flock) while the process lives; its text is the holder's pid
//   <directory>/identity       application and instance, written once
//   <directory>/partition-<n>/ the store of input partition n
//   <directory>/partition-<n>.aside    one that was moved out of the way
//   <directory>/partition-<n>.retired  one that is being deleted
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "state/core/result.hpp"

namespace segmentd {

/// Holds the lock from open() to its destruction; from look() none. Calls on different partitions
/// may run at the same time.
class StateDir {
 public:
  /// Creates what is absent. `new_instance` becomes the instance id of a directory that has none
  /// yet: random, of the caller's making, one line. kMisconfigured: another process holds the
  /// directory, it belongs to another application, or there is no access; kUnavailable: no room;
  /// kCorrupt: the identity cannot be read.
  static Result<StateDir> open(const std::filesystem::path& directory,
                               const std::string& application, const std::string& new_instance);
  /// A directory that has an identity, for reading only: changes nothing, and neither needs the
  /// lock nor takes it. The store of a partition may be changed by its holder at any time. Errors
  /// as above; kMisconfigured also where there is no identity.
  static Result<StateDir> look(const std::filesystem::path& directory,
                               const std::string& application);
  /// Who holds the directory: the text of its lock, a pid. nullopt = nobody, or there is none.
  static std::optional<std::string> holder(const std::filesystem::path& directory);

  StateDir(StateDir&& other) noexcept;
  StateDir& operator=(StateDir&& other) noexcept;
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;
  ~StateDir();

  const std::filesystem::path& directory() const { return directory_; }
  /// The same for the life of the directory.
  const std::string& instance() const { return instance_; }

  /// Where partition n's store lies, whether it exists or not.
  std::filesystem::path partition(std::int32_t n) const;
  /// Those whose store lies here, ascending.
  std::vector<std::int32_t> partitions() const;
  /// What lies here of partition n beside its store: directories set aside or kept, by name.
  std::vector<std::filesystem::path> set_asides(std::int32_t n) const;
  /// Deletes partition n's store; fine where there is none. It must be closed.
  Result<void> remove_partition(std::int32_t n) const;
  /// Takes partition n's store out of sight, at once and whole; remove_retired() deletes it. It
  /// must be closed. False: there was none, or it could not be done.
  bool retire_partition(std::int32_t n) const;
  /// Deletes what was retired, also by a process that did not live to do it. May take long.
  void remove_retired() const;
  /// Moves a damaged store to `partition-<n>.aside`, in place of one that lies there. It must be
  /// closed. kCorrupt: one was set aside less than `interval` ago; nothing was moved.
  Result<void> set_partition_aside(std::int32_t n, std::chrono::seconds interval) const;
  /// Moves partition n's store to `partition-<n>.kept`, in place of one that lies there: by hand,
  /// hence without a word about how often. It must be closed. Where it lies now.
  Result<std::filesystem::path> keep_partition(std::int32_t n) const;

 private:
  StateDir(std::filesystem::path directory, int lock)
      : directory_(std::move(directory)), lock_(lock) {}
  Result<void> identify(const std::string& application, const std::string& new_instance);
  /// false = there is none.
  Result<bool> read_identity(const std::string& application);

  std::filesystem::path directory_;
  std::string instance_;
  int lock_ = -1;  // the open file that carries the lock
};

}  // namespace segmentd
