/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes between a radio and the medium. */
#include "channel/random.h"
#include "hw/air_message.h"
#include "hw_test.h"

static const struct air_header sample = {.type = AIR_TX,
                                         .role = AIR_ROLE_UE,
                                         .id = 0x0102,
                                         .n_ant = 2,
                                         .flags = 0x80,
                                         .tick = 0x1122334455667788u,
                                         .n_samples = 0x0304,
                                         .payload_bytes = 2 * 0x0304 * 8};

static void test_layout(void **state)
{
    (void)state;
    const uint8_t expected[AIR_HEADER_BYTES] = {'T',  'A',  'I', 'R', 2, 0,    AIR_TX, 1,    2,    1,    2,
                                                0,    0x80, 0,   0,   0, 0x88, 0x77,   0x66, 0x55, 0x44, 0x33,
                                                0x22, 0x11, 4,   3,   0, 0,    0x40,   0x30, 0,    0};
    uint8_t bytes[AIR_HEADER_BYTES];
    struct air_header back;
    air_message_pack(bytes, &sample);
    assert_memory_equal(bytes, expected, sizeof bytes);
    assert_int_equal(air_message_unpack(&back, bytes), TUTTI_OK);
    assert_true(back.type == sample.type && back.role == sample.role && back.id == sample.id &&
                back.n_ant == sample.n_ant && back.flags == sample.flags && back.tick == sample.tick &&
                back.n_samples == sample.n_samples && back.payload_bytes == sample.payload_bytes);
}

static int changed(int at, uint8_t value)
{
    uint8_t bytes[AIR_HEADER_BYTES];
    struct air_header back;
    air_message_pack(bytes, &sample);
    bytes[at] = value;
    return air_message_unpack(&back, bytes);
}

static void test_refusals(void **state)
{
    (void)state;
    assert_int_equal(changed(0, 'X'), TUTTI_EFORMAT);
    assert_int_equal(changed(4, 1), TUTTI_EVERSION);
    assert_int_equal(changed(6, 0), TUTTI_EFORMAT);
    assert_int_equal(changed(6, AIR_N_TYPE), TUTTI_EFORMAT);
    assert_int_equal(changed(7, AIR_N_ROLE), TUTTI_EFORMAT);
    assert_int_equal(changed(10, 3), TUTTI_EFORMAT);    /* antennas do not fit the payload */
    assert_int_equal(changed(11, 1), TUTTI_EFORMAT);    /* 258 antennas */
    assert_int_equal(changed(12, 0x81), TUTTI_EFORMAT); /* silent with payload */
    assert_int_equal(changed(27, 1), TUTTI_EFORMAT);    /* chunk far too long */
    assert_int_equal(changed(31, 0x7f), TUTTI_EFORMAT); /* payload of 2 GB */
    assert_int_equal(changed(6, AIR_START), TUTTI_EFORMAT);
    assert_int_equal(changed(6, AIR_REFUSE), TUTTI_EFORMAT); /* longer than a text may be */
}

/* Whatever the bytes, an accepted header has a payload no longer than its shape. */
static void test_any_bytes(void **state)
{
    (void)state;
    int accepted = 0;
    for (uint64_t k = 0; k < 200000; k++) {
        uint8_t bytes[AIR_HEADER_BYTES];
        struct air_header h;
        air_message_pack(bytes, &sample);
        for (uint64_t i = 0; i < 3; i++) {
            const uint64_t x = random_u64(k, i);
            bytes[4 + x % 28] = (uint8_t)(x >> 32);
        }
        if (air_message_unpack(&h, bytes) == TUTTI_OK) {
            accepted++;
            assert_true(h.payload_bytes <= (uint64_t)TUTTI_MAX_ANT * AIR_MAX_CHUNK * sizeof(tutti_cf32));
            assert_true(h.type >= AIR_HELLO && h.type < AIR_N_TYPE && h.role < AIR_N_ROLE && h.n_ant <= TUTTI_MAX_ANT);
        }
    }
    assert_true(accepted > 1000);
}

static void test_payloads(void **state)
{
    (void)state;
    uint8_t bytes[AIR_HELLO_BYTES];
    const uint8_t expected[AIR_HELLO_BYTES] = {0, 0, 0, 0, 0, 0x4c, 0x3d, 0x41, 7, 1, 0, 0, 0, 0, 0, 0};
    struct air_hello back;
    air_message_pack_hello(bytes, &(struct air_hello){1.92e6, 263}); /* 1.92e6 as IEEE 754 */
    assert_memory_equal(bytes, expected, sizeof bytes);
    air_message_unpack_hello(&back, bytes);
    assert_near(back.rate_hz, 1.92e6, 0);
    assert_int_equal(back.n_tx_buffer_samples, 263);
    air_message_pack_welcome(bytes, 0x01020304);
    assert_memory_equal(bytes, ((const uint8_t[]){4, 3, 2, 1}), AIR_WELCOME_BYTES);
    assert_int_equal(air_message_unpack_welcome(bytes), 0x01020304);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layout), cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_any_bytes), cmocka_unit_test(test_payloads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
