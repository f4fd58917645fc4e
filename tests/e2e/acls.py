"""Access control lists of a broker, by librdkafka's C API: this version of confluent_kafka does not have it."""
import ctypes
import ctypes.util

PRODUCER = 0
TEXT_BYTES = 512
TIMEOUT_MS = 30_000
RESOURCES = {"topic": 2, "group": 3, "cluster": 4, "transactional_id": 5}
LITERAL, PREFIXED = 3, 4
OPERATIONS = {"read": 3, "write": 4, "create": 5, "describe": 8, "describe_configs": 10}
DENY, ALLOW = 2, 3


def library():
    lib = ctypes.CDLL(ctypes.util.find_library("rdkafka") or "librdkafka.so.1")
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_AclBinding_new", "rd_kafka_AclBindingFilter_new",
                 "rd_kafka_queue_new", "rd_kafka_queue_poll", "rd_kafka_event_CreateAcls_result",
                 "rd_kafka_CreateAcls_result_acls", "rd_kafka_acl_result_error"):
        getattr(lib, name).restype = ctypes.c_void_p
    for name in ("rd_kafka_event_error_string", "rd_kafka_error_string"):
        getattr(lib, name).restype = ctypes.c_char_p
    return lib


class Acls:
    """Asks as a client that may change them."""

    def __init__(self, brokers):
        self.lib = library()
        text = ctypes.create_string_buffer(TEXT_BYTES)
        conf = ctypes.c_void_p(self.lib.rd_kafka_conf_new())
        self.lib.rd_kafka_conf_set(conf, b"bootstrap.servers", brokers.encode(), text, TEXT_BYTES)
        self.handle = ctypes.c_void_p(self.lib.rd_kafka_new(PRODUCER, conf, text, TEXT_BYTES))
        assert self.handle, text.value
        self.queue = ctypes.c_void_p(self.lib.rd_kafka_queue_new(self.handle))

    def close(self):
        self.lib.rd_kafka_queue_destroy(self.queue)
        self.lib.rd_kafka_destroy(self.handle)

    def allow(self, user, resource, name, *operations, prefixed=False):
        for operation in operations:
            self._create(user, resource, name, operation, prefixed, ALLOW)

    def deny(self, user, resource, name, operation):
        """Wins over what is allowed."""
        self._create(user, resource, name, operation, False, DENY)

    def lift(self, user, resource, name, operation):
        """Takes a deny() back."""
        one = self._binding("rd_kafka_AclBindingFilter_new", user, resource, name, operation, False, DENY)
        self.lib.rd_kafka_DeleteAcls(self.handle, one, ctypes.c_size_t(1), None, self.queue)
        self._wait_for_answer()

    def _binding(self, make, user, resource, name, operation, prefixed, permission):
        text = ctypes.create_string_buffer(TEXT_BYTES)
        made = getattr(self.lib, make)(RESOURCES[resource], name.encode(), PREFIXED if prefixed else LITERAL,
                                       f"User:{user}".encode(), b"*", OPERATIONS[operation], permission, text,
                                       ctypes.c_size_t(TEXT_BYTES))
        assert made, text.value
        return (ctypes.c_void_p * 1)(made)

    def _create(self, *what):
        one = self._binding("rd_kafka_AclBinding_new", *what)
        self.lib.rd_kafka_CreateAcls(self.handle, one, ctypes.c_size_t(1), None, self.queue)
        event = self._wait_for_answer()
        result = ctypes.c_void_p(self.lib.rd_kafka_event_CreateAcls_result(event))
        count = ctypes.c_size_t()
        self.lib.rd_kafka_CreateAcls_result_acls.restype = ctypes.POINTER(ctypes.c_void_p)
        results = self.lib.rd_kafka_CreateAcls_result_acls(result, ctypes.byref(count))
        for n in range(count.value):
            error = self.lib.rd_kafka_acl_result_error(ctypes.c_void_p(results[n]))
            assert not error, self.lib.rd_kafka_error_string(ctypes.c_void_p(error))

    def _wait_for_answer(self):
        event = ctypes.c_void_p(self.lib.rd_kafka_queue_poll(self.queue, TIMEOUT_MS))
        assert event, "the broker does not answer"
        assert self.lib.rd_kafka_event_error(event) == 0, self.lib.rd_kafka_event_error_string(event)
        return event
