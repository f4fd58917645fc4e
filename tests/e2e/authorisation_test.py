#!/usr/bin/env python3
"""On a broker that asks who may do what: exactly the rights that deploy/OPERATIONS.md lists suffice, and one
that is taken away ends the daemon with a word that names what is missing."""
import sys

sys.dont_write_bytecode = True
import harness  # noqa: E402
from acls import Acls  # noqa: E402
from harness import OwnBroker, free_ports  # noqa: E402
from one_customer import OneCustomerAPartition  # noqa: E402

BROKER = 3
USER = "segmentd"
# The tests, the controller and the broker itself ask at the plain listener, which may do everything.
PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_segmentd="of-this-test";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


class AuthorisationTest(OneCustomerAPartition):
    @classmethod
    def setUpClass(cls):
        cls.broker = OwnBroker()
        cls.port, = free_ports(1)
        cls.broker.properties.write_text(PROPERTIES.format(
            plain=cls.broker.port, sasl=cls.port, controller=cls.broker.controller_port))
        cls.broker.start()
        cls.acls = Acls(cls.broker.address)

    @classmethod
    def tearDownClass(cls):
        cls.acls.close()
        cls.broker.close()

    def application_with_rights(self, word):
        application = self.application(word, partitions=2, brokers=self.broker.address)
        application.daemon.settings.update({
            "brokers": f"127.0.0.1:{self.port}", "kafka.security.protocol": "SASL_PLAINTEXT",
            "kafka.sasl.mechanism": "PLAIN", "kafka.sasl.username": USER, "kafka.sasl.password": "of-this-test"})
        self.grant(application)
        return application

    def grant(self, application):
        """What the table "Rights on the brokers" of the page says."""
        allow, name = self.acls.allow, application.name
        allow(USER, "topic", application.input, "read", "describe_configs")
        for topic in (application.changes, application.table):
            allow(USER, "topic", topic, "write", "create", "describe_configs")
        allow(USER, "topic", name + "-", "read", "write", "create", "describe_configs", prefixed=True)
        allow(USER, "group", name, "read")
        allow(USER, "transactional_id", name + "-", "write", prefixed=True)

    def begin_with_rights(self, word):
        application = self.application_with_rights(word)
        for partition in range(2):
            self.send(application, partition, range(20))
        application.daemon.start()
        application.wait_until_consumed()
        return application

    def check_goes_on(self, application, count):
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        self.assertEqual(self.frequency(application, "c0"), count)

    def test_what_the_page_lists_suffices(self):
        application = self.begin_with_rights("rights")
        application.daemon.kill()  # what it left open is ended by its next start
        self.send(application, 0, [20])
        self.check_goes_on(application, 21)
        self.assertEqual(application.rejects(), [])

    def test_the_right_to_write_is_taken_away(self):
        application = self.begin_with_rights("write")
        self.acls.deny(USER, "topic", application.table, "write")
        self.send(application, 0, [20])
        self.wait_ended(application, BROKER, application.table, "authorization failed")
        self.assertEqual(self.frequency(application, "c0"), 20)
        self.acls.lift(USER, "topic", application.table, "write")
        self.check_goes_on(application, 21)

    def test_the_right_to_the_group_is_taken_away(self):
        application = self.begin_with_rights("group")
        self.acls.deny(USER, "group", application.name, "read")
        self.send(application, 0, [20])
        self.wait_ended(application, BROKER, "authorization failed")
        self.acls.lift(USER, "group", application.name, "read")
        self.check_goes_on(application, 21)

    def test_the_right_to_read_the_input_is_taken_away(self):
        application = self.begin_with_rights("read")
        self.acls.deny(USER, "topic", application.input, "read")
        self.send(application, 0, [20])
        self.wait_ended(application, BROKER, application.input, "authorization failed")
        self.acls.lift(USER, "topic", application.input, "read")
        self.check_goes_on(application, 21)


if __name__ == "__main__":
    harness.main()
