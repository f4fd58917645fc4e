// Only in builds with ThreadSanitizer. librdkafka uses C11 threads, and glibc's thrd_create goes
// past the function that the sanitizer watches: it crashes in threads that it has never heard of.
// Here they are made by the one it watches; glibc's types are the same underneath. (Not the locks:
// with them goes cnd_wait, and what is guarded by librdkafka's locks is librdkafka's.)
#include <cstdint>

#include <pthread.h>
#include <threads.h>

namespace {

struct Start {
  thrd_start_t run;
  void* argument;
};

void* run_start(void* raw) {
  const Start start = *static_cast<Start*>(raw);
  delete static_cast<Start*>(raw);
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(start.run(start.argument)));
}

int outcome(int error) {
  return error == 0 ? thrd_success : thrd_error;
}

}  // namespace

// The names of the parameters are reserved ones in the library's header.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
extern "C" {

int thrd_create(thrd_t* thread, thrd_start_t run, void* argument) {
  auto* start = new Start{run, argument};
  const int error = pthread_create(thread, nullptr, run_start, start);
  if (error != 0) delete start;
  return outcome(error);
}

int thrd_join(thrd_t thread, int* result) {
  void* raw = nullptr;
  const int error = pthread_join(thread, &raw);
  if (error == 0 && result != nullptr) {
    *result = static_cast<int>(reinterpret_cast<std::intptr_t>(raw));
  }
  return outcome(error);
}

}  // extern "C"
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
