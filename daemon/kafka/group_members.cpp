#include "daemon/kafka/group_members.hpp"

#include "daemon/kafka/admin_question.hpp"

namespace segmentd::kafka {
namespace {

GroupMember member_of(const rd_kafka_MemberDescription_t* described) {
  GroupMember member;
  const char* instance = rd_kafka_MemberDescription_group_instance_id(described);
  if (instance != nullptr) member.instance = instance;
  const auto* assignment = rd_kafka_MemberDescription_assignment(described);
  const auto* partitions =
      assignment == nullptr ? nullptr : rd_kafka_MemberAssignment_partitions(assignment);
  for (int i = 0; partitions != nullptr && i < partitions->cnt; ++i) {
    member.assigned.emplace(partitions->elems[i].topic, partitions->elems[i].partition);
  }
  return member;
}

}  // namespace

Result<GroupDescription> describe_group(rd_kafka_t* handle, const std::string& group,
                                        milliseconds timeout) {
  const Options options = options_for(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, timeout);
  const Queue queue(rd_kafka_queue_new(handle));
  const char* asked[] = {group.c_str()};
  rd_kafka_DescribeConsumerGroups(handle, asked, 1, options.get(), queue.get());
  const auto event = answer_on(queue.get(), timeout, "members of the group");
  if (!event) return event.error();
  std::size_t count = 0;
  const auto** groups = rd_kafka_DescribeConsumerGroups_result_groups(
      rd_kafka_event_DescribeConsumerGroups_result(event->get()), &count);
  GroupDescription description;
  for (std::size_t g = 0; g < count; ++g) {
    if (const auto* error = rd_kafka_ConsumerGroupDescription_error(groups[g])) {
      return Error{errc_of(rd_kafka_error_code(error)),
                   "members of group " + group + ": " + rd_kafka_error_string(error)};
    }
    const auto state = rd_kafka_ConsumerGroupDescription_state(groups[g]);
    description.stable = state == RD_KAFKA_CONSUMER_GROUP_STATE_STABLE ||
                         state == RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY;
    const std::size_t members = rd_kafka_ConsumerGroupDescription_member_count(groups[g]);
    for (std::size_t m = 0; m < members; ++m) {
      description.members.push_back(
          member_of(rd_kafka_ConsumerGroupDescription_member(groups[g], m)));
    }
  }
  return description;
}

}  // namespace segmentd::kafka
