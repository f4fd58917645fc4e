// Who is in a consumer group and what each has been assigned, asked of its coordinator. For the
// adapters only.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/kafka/client.hpp"

namespace segmentd::kafka {

struct GroupMember {
  std::string instance;  // group.instance.id; empty = a dynamic member
  std::set<std::pair<std::string, std::int32_t>> assigned;  // topic and partition
};

struct GroupDescription {
  bool stable = false;               // its generation is complete, or nobody is in it
  std::vector<GroupMember> members;  // a static one that died: until its session has ended
};

/// A group that nobody ever was in is an empty one. kRetry when not known in time.
Result<GroupDescription> describe_group(rd_kafka_t* handle, const std::string& group,
                                        milliseconds timeout);

}  // namespace segmentd::kafka
