/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CHDR packets against words put together by hand from the bit positions in UHD's chdr_types.hpp, and against noise. */
#include "packet.h"
#include "usrp_test.h"

static void test_header(void **state)
{
    (void)state;
    /* VC 0, EOB 57, type 7 at 53, 2 words of metadata at 48, sequence 0x1234 at 32, length at 16, endpoint 0x00ab. */
    const uint64_t word = UINT64_C(0x02e2123400200000) | 0x00ab;
    uint8_t bytes[64] = {0};
    struct packet_header h;
    packet_put_word(bytes, word);
    assert_int_equal(bytes[0], 0xab);
    assert_int_equal(bytes[7], 0x02);
    assert_true(packet_header_read(&h, bytes, sizeof bytes));
    assert_true(h.end_of_burst && h.type == PACKET_DATA_TIMED && h.n_metadata == 2 && h.sequence == 0x1234);
    assert_true(h.length == 0x20 && h.destination == 0xab);
    assert_int_equal(packet_data_offset(&h), 8 + 8 + 16);
    assert_true(packet_header_word(&h) == word);
    assert_false(packet_header_read(&h, bytes, 0x1f)); /* cut */
    packet_put_word(bytes, word - (UINT64_C(1) << 16));
    assert_false(packet_header_read(&h, bytes, sizeof bytes)); /* too short for its metadata */
}

static void test_control(void **state)
{
    (void)state;
    /* From endpoint 5 port 2, to endpoint 9 port 3, sequence 0x21, timed, a write of one value to 0x01014. */
    uint8_t bytes[64] = {0}, again[64];
    struct packet_control c;
    packet_put_word(bytes, UINT64_C(4) << 53 | UINT64_C(7) << 32 | 32 << 16 | 9);
    packet_put_word(bytes + 8, UINT64_C(5) << 32 | UINT64_C(1) << 30 | 0x21 << 24 | 1 << 20 | 2 << 10 | 3);
    packet_put_word(bytes + 16, 123456789);
    packet_put_word(bytes + 24, UINT64_C(0xcafe0001) << 32 | 1 << 24 | 0xf << 20 | 0x01014);
    assert_true(packet_control_read(&c, bytes, 32));
    assert_true(c.destination == 9 && c.source == 5 && c.destination_port == 3 && c.source_port == 2);
    assert_true(c.sequence == 0x21 && c.timed && !c.acknowledge && c.time == 123456789);
    assert_true(c.address == 0x1014 && c.byte_enable == 0xf && c.operation == PACKET_WRITE && c.status == 0);
    assert_true(c.n_data == 1 && c.data[0] == 0xcafe0001);
    assert_int_equal(packet_control_write(again, 7, &c), 32);
    assert_memory_equal(again, bytes, 32);
    assert_false(packet_control_read(&c, bytes, 24));
    packet_put_word(again + 8, packet_word(again + 8) | 3 << 20); /* says three values, has room for one */
    assert_false(packet_control_read(&c, again, 32));
    c.n_data = 4; /* 3 more values: 12 bytes, in whole words */
    assert_int_equal(packet_control_write(again, 7, &c), 48);
    c.data[3] = 0;
    assert_true(packet_control_read(&c, again, 48) && c.n_data == 4);
}

static void test_flow(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct packet_status s = {9, 5, true, 0x12345678ab, 0x8765432100, 0x1122334455, 0xabcdef}, s2;
    assert_int_equal(packet_status_write(bytes, &s), 40);
    assert_true(packet_word(bytes) == (UINT64_C(1) << 53 | 40 << 16 | 9));
    assert_true(packet_word(bytes + 8) == (UINT64_C(0x12345678ab) << 24 | 2 << 16 | 5));
    assert_true(packet_word(bytes + 16) == (UINT64_C(0x1122334455) << 24 | 0xabcdef));
    assert_true(packet_word(bytes + 24) == UINT64_C(0x8765432100));
    assert_true(packet_status_read(&s2, bytes, 40));
    assert_true(s2.capacity_bytes == s.capacity_bytes && s2.capacity_packets == s.capacity_packets);
    assert_true(s2.bytes == s.bytes && s2.packets == s.packets && s2.source == 5 && s2.destination == 9 && s2.broken);
    struct packet_command c = {9, 5, PACKET_RESYNC, 77, 0x1122334455}, c2;
    assert_int_equal(packet_command_write(bytes, &c), 24);
    assert_true(packet_word(bytes + 8) == (UINT64_C(0x1122334455) << 24 | 2 << 16 | 5));
    assert_true(packet_command_read(&c2, bytes, 24));
    assert_true(c2.kind == PACKET_RESYNC && c2.bytes == 77 && c2.packets == c.packets && c2.source == 5);
    assert_false(packet_status_read(&s2, bytes, 24));
    assert_false(packet_command_read(&c2, bytes, 23));
}

static void test_management_operation(void **state)
{
    (void)state;
    const uint64_t op = packet_op(3, PACKET_CONFIG_WRITE, UINT64_C(0xdeadbeef) << 16 | 0x0c);
    assert_true(op == UINT64_C(0xdeadbeef000c0603));
    assert_true(packet_op_following(op) == 3 && packet_op_step(op) == PACKET_CONFIG_WRITE);
    assert_true(packet_op_payload(op) == (UINT64_C(0xdeadbeef) << 16 | 0x0c));
}

/* Noise of every length: nothing is read behind the end (for the sanitizers), and what is taken is inside. */
static void test_noise(void **state)
{
    (void)state;
    uint64_t x = 1;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[72];
        const size_t n = (size_t)i % sizeof bytes;
        for (size_t k = 0; k < n; k++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            bytes[k] = (uint8_t)(x >> 56);
        }
        struct packet_header h = {0};
        struct packet_control c = {0};
        struct packet_status s;
        struct packet_command k;
        if (packet_header_read(&h, bytes, n)) {
            assert_true(h.length <= n && packet_data_offset(&h) <= h.length);
        }
        if (packet_control_read(&c, bytes, n)) {
            assert_true(c.n_data <= PACKET_CONTROL_WORDS);
        }
        (void)packet_status_read(&s, bytes, n);
        (void)packet_command_read(&k, bytes, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_header), cmocka_unit_test(test_control),
                                       cmocka_unit_test(test_flow), cmocka_unit_test(test_management_operation),
                                       cmocka_unit_test(test_noise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
