/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Signatures: known answers, the text that they travel as, and what they are bound to. */
#include "test.h"

#include <stdbool.h>
#include <stdint.h>

#include "core/identity.h"

/* ---- known answers ---- */

#define KEY_A "7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa"
#define KEY_B "a12c2beb77265f2aac953b5009349d94155a03ada416aad451319480e983ca4c"
#define KEY_1 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define KEY_2 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
#define KEY_3 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
#define KEY_S "100fdf47fb94f1536a4f7c3fda27383fa03375a8f527c537e6f1703c47f94f86"
#define KEY_4 "32ad026f693d0d2afe7f4388d91c4c964426fcb9e3665c3ebd8650009b815c8e"
#define KEY_7 "cfda5b899e35764c5229e59295fe1222b7ddce176643697c29e46ecbba10cf10"

/* R and the first half of S of the signature of "Test" by KEY_A. */
#define TEST_R "7c38e026f29e14aabd059a0f2db8b0cd783040609a8be684db12f82a27774ab0"
#define MSG "54657374"
/* Of "123400" by KEY_A; the cases below change R and compute S anew. */
#define MSG_R "313233343030"

/* The Ed25519 cases of Project Wycheproof, by their numbers there. */
static const struct known {
    unsigned id;
    bool valid;
    const char *key, *message, *signature;
} known[] = {
    {1, true, KEY_A, "",
     "d4fbdb52bfa726b44d1786a8c0d171c3e62ca83c9e5bbe63de0bb2483f8fd6cc1429ab72cafc41ab56af02ff8fcc43b99bfe4c7ae940f60f"
     "38ebaa9d311c4007"},
    {2, true, KEY_A, "78",
     "d80737358ede548acb173ef7e0399f83392fe8125b2ce877de7975d8b726ef5b1e76632280ee38afad12125ea44b961bf92f1178c9fa819d"
     "020869975bcbe109"},
    {3, true, KEY_A, MSG, TEST_R "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b30d"},
    {4, true, KEY_A, "48656c6c6f",
     "1c1ad976cbaae3b31dee07971cf92c928ce2091a85f5899f5e11ecec90fc9f8e93df18c5037ec9b29c07195ad284e63d548cd0a6fe358cc7"
     "75bd6c1608d2c905"},
    {5, true, KEY_A, MSG_R,
     "657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c2bf0cf5b3a289976458a1be6277a5055545253b45b07dcc1ab"
     "d96c8b989c00f301"},
    {6, true, KEY_A, "000000000000000000000000",
     "d46543bfb892f84ec124dcdfc847034c19363bf3fc2fa89b1267833a14856e52e60736918783f950b6f1dd8d40dc343247cd43ce054c2d68"
     "ef974f7ed0f3c60f"},
    {9, true, KEY_A, "ffffffffffffffffffffffffffffffff",
     "5dbd7360e55aa38e855d6ad48c34bd35b7871628508906861a7c4776765ed7d1e13d910faabd689ec8618b78295c8ab8f0e19c8b4b43eb86"
     "85778499e943ae04"},
    /* R changed, and S computed for the changed hash: for verifiers that compare R loosely. */
    {42, false, KEY_A, MSG_R,
     "647c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c2b1d125e5538f38afbcc1c84e489521083041d24bc62407670"
     "29da063271a1ff0c"},
    {43, false, KEY_A, MSG_R,
     "677c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c2bc108ca4b87a49c9ed2cf383aecad8f54a962b2899da891e1"
     "2004d7993a627e01"},
    {53, false, KEY_A, MSG_R,
     "657c1492402ab5ce03e2c3a7f0384d851b9cf3570f1207fc78c1bcc98c281c2bb978c866187ffb1cc7b29a0b4045aefc08768df65717194f"
     "f0c6e63f4dea0d02"},
    {56, false, KEY_A, MSG_R,
     "657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c2a63950c85cd6dc96364e768de50ff7732b538f8a0b1615d79"
     "9190ab600849230e"},
    {57, false, KEY_A, MSG_R,
     "657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c0b543bd3da0a56a8c9c152f59c9fec12f31fa66434d48b817b"
     "30d90cb4efa8b501"},
    {58, false, KEY_A, MSG_R,
     "657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c6b8da07efd07a6dafb015ed6a32fe136319a972ffbc341f3a0"
     "beae97ccf8136505"},
    {59, false, KEY_A, MSG_R,
     "657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281cab227aedf259f910f0f3a759a335062665217925d019173b88"
     "917eae294f75d40f"},
    {60, false, KEY_A, MSG_R,
     "0000000000000000000000000000000000000000000000000000000000000000e0b8e7770d51c7a36375d006c5bffd6af43ff54aaf47e433"
     "0dc118c71d61ec02"},
    {61, false, KEY_A, MSG_R,
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff463a1908382e7eb7693acef9884f7cf931a215e0791876be"
     "22c631a59881fd0e"},
    {62, false, KEY_A, MSG_R,
     "9a83eb6dbfd54a31fc1d3c580fc7b2fae4630ca8f0edf803873e433673d7e3d40e94254586cb6188c5386c3febed477cb9a6cb29e3979adc"
     "4cb27cf5278fb70a"},
    /* Malleability: S + L, 2L, 4L, 8L, 2^253, 2^254, 2^255, p. */
    {63, false, KEY_A, MSG, TEST_R "67654bce3832c2d76f8f6f5dafc08d9339d4eef676573336a5c51eb6f946b31d"},
    {64, false, KEY_A, MSG, TEST_R "5439412b5395d42f462c67008eba6ca839d4eef676573336a5c51eb6f946b32d"},
    {65, false, KEY_A, MSG, TEST_R "2ee12ce5875bf9dff26556464bae2ad239d4eef676573336a5c51eb6f946b34d"},
    {66, false, KEY_A, MSG, TEST_R "e2300459f1e742404cd934d2c595a6253ad4eef676573336a5c51eb6f946b38d"},
    {67, false, KEY_A, MSG, TEST_R "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b32d"},
    {68, false, KEY_A, MSG, TEST_R "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b34d"},
    {69, false, KEY_A, MSG, TEST_R "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d"},
    {70, false, KEY_A, MSG, TEST_R "679155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d"},
    {71, true, KEY_B, "",
     "5056325d2ab440bf30bbf0f7173199aa8b4e6fbc091cf3eb6bc6cf87cd73d992ffc216c85e4ab5b8a0bbc7e9a6e9f8d33b7f6e5ac0ffdc22"
     "d9fcaf784af84302"},
    {73, true, KEY_B, MSG,
     "8a9bb4c465a3863abc9fd0dd35d80bb28f7d33d37d74679802d63f82b20da114b8d765a1206b3e9ad7cf2b2d8d778bb8651f1fa992db293c"
     "0039eacb6161480f"},
    /* Of the other key. */
    {3, false, KEY_B, MSG, TEST_R "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b30d"},
    /* RFC 8032, 7.1. */
    {80, true, KEY_1, "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
     "655141438e7a100b"},
    {81, true, KEY_2, "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
     "b00d291612bb0c00"},
    {82, true, KEY_3, "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
     "c027beceea1ec40a"},
    /* S just below and just above the bound. */
    {84, true, KEY_S, "124e583f8b8eca58bb29c271b41d36986bbc45541f8e51f9cb0133eca447601e",
     "dac119d6ca87fc59ae611c157048f4d4fc932a149dbe20ec6effd1436abf83ea05c7df0fef06147241259113909bc71bd3c53ba4464ffcad"
     "3c0968f2ffffff0f"},
    {85, false, KEY_S, "6a0bc2b0057cedfc0fa2e3f7f7d39279b30f454a69dfd1117c758d86b19d85e0",
     "0971f86d2c9c78582524a103cb9cf949522ae528f8054dc20107d999be673ff4e25ebf2f2928766b1248bec6e91697775f8446639ede46ad"
     "4df4053000000010"},
    {89, true, KEY_4, "ec5c7cb078",
     "d920d421a5956b69bfe1ba834c025e2babb6c7a6d78c97de1d9bb1116dfdd1185147b2887e34e15578172e150774275ea2aad9e02106f7e8"
     "ca1caa669a066f0c"},
    {92, true, KEY_7, "ec5c7cb078",
     "30490c28f806298225df62103521dcee047153912c33ab8ab8bbdd1ffabd70fd4fdb360f05be535b067d1cf4e78c2cb432206bf280aab3bd"
     "21aaa1cb894c5b06"},
};

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned value = 0;
        CHECK(sscanf(hex + 2 * i, "%2x", &value) == 1);
        out[i] = (uint8_t)value;
    }
    return n;
}

static int verify(const char *key, const char *message, const char *signature)
{
    uint8_t k[32], m[64], s[64];
    CHECK(strlen(key) == 64 && strlen(signature) == 128 && strlen(message) <= 128);
    unhex(key, k);
    unhex(signature, s);
    return cell_ed25519_verify(k, s, m, unhex(message, m), NULL);
}

TEST(known_answers_of_ed25519)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const struct known *k = &known[i];
        int r = verify(k->key, k->message, k->signature);
        if (r != (k->valid ? CELL_OK : CELL_UNAUTHENTICATED))
            printf("case %u: %d\n", k->id, r);
        CHECK(r == (k->valid ? CELL_OK : CELL_UNAUTHENTICATED));
    }
}

/* Cases 10 to 29, and those of its kind that are missing there: 0, 1, L - 1, L, p - 1, p, 2^256 - 1 for R and S. */
TEST(special_values_are_no_signatures)
{
    static const char *const values[] = {"0000000000000000000000000000000000000000000000000000000000000000",
                                         "0100000000000000000000000000000000000000000000000000000000000000",
                                         "ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010",
                                         "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010",
                                         "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                         "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                         "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"};
    const size_t n = sizeof(values) / sizeof(values[0]);
    for (size_t i = 0; i < n * n; i++) {
        char signature[129];
        snprintf(signature, sizeof(signature), "%s%s", values[i / n], values[i % n]);
        CHECK(verify(KEY_A, "3f", signature) == CELL_UNAUTHENTICATED);
    }
}

/* A key of small order makes S = 0, R = 0 a signature of every message, for who does not look. */
TEST(keys_of_small_order_sign_nothing)
{
    static const char *const keys[] = {"0100000000000000000000000000000000000000000000000000000000000000",
                                       "0000000000000000000000000000000000000000000000000000000000000000",
                                       "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                       "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                                       "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                                       /* not canonical: p, p + 1 */
                                       "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                       "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        for (size_t j = 0; j < sizeof(keys) / sizeof(keys[0]); j++) {
            char signature[129];
            snprintf(signature, sizeof(signature), "%s%064d", keys[j], 0);
            CHECK(verify(keys[i], "3f", signature) == CELL_UNAUTHENTICATED);
        }
}

/* ---- what is signed ---- */

static const char document[] = "{\"schema\":\"cell.schema/1\"}";

static struct cell_signature sign(unsigned char seed, uint64_t version, int64_t expires)
{
    uint8_t bytes[32];
    struct cell_signature s = {.version = 0};
    memset(bytes, seed, sizeof(bytes));
    CHECK(cell_signature_make(bytes, "auth", version, expires, document, strlen(document), &s, NULL) == CELL_OK);
    return s;
}

static int check(const struct cell_signature *s, const char *cell, const char *text)
{
    struct cell_error e = {0};
    int r = cell_signature_check(s, cell, text, strlen(text), &e);
    CHECK(r == CELL_OK || e.text[0]);
    return r;
}

TEST(a_signature_is_of_one_cell_and_one_document)
{
    struct cell_signature s = sign(1, 7, 1800000000), other = sign(2, 7, 1800000000);
    CHECK(check(&s, "auth", document) == CELL_OK);
    CHECK(check(&s, "auht", document) == CELL_UNAUTHENTICATED);
    CHECK(check(&s, "auth", "{\"schema\":\"cell.schema/2\"}") == CELL_UNAUTHENTICATED);
    CHECK(check(&s, "auth", "") == CELL_UNAUTHENTICATED);
    CHECK(strcmp(s.key, other.key) != 0);
    memcpy(s.key, other.key, sizeof(s.key));
    CHECK(check(&s, "auth", document) == CELL_UNAUTHENTICATED);
}

TEST(everything_in_a_signature_is_signed)
{
    struct cell_signature s = sign(1, 7, 1800000000);
    s.version++;
    CHECK(check(&s, "auth", document) == CELL_UNAUTHENTICATED);
    s = sign(1, 7, 1800000000);
    s.expires++;
    CHECK(check(&s, "auth", document) == CELL_UNAUTHENTICATED);
    for (unsigned bit = 0; bit < 512; bit++) {
        s = sign(1, 7, 1800000000);
        s.value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(check(&s, "auth", document) == CELL_UNAUTHENTICATED);
    }
}

TEST(a_key_is_that_of_its_seed)
{
    /* RFC 8032, 7.1, test 1. */
    uint8_t seed[32], random[32] = {0}, again[32] = {0};
    char key[CELL_KEY_DIGITS + 1];
    unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", seed);
    CHECK(cell_key_public(seed, key, NULL) == CELL_OK);
    CHECK_STR(key, KEY_1);
    CHECK(cell_key_seed(random, NULL) == CELL_OK && cell_key_seed(again, NULL) == CELL_OK);
    CHECK(memcmp(random, again, 32) != 0);
    cell_key_forget(random);
    CHECK(memcmp(random, (uint8_t[32]){0}, 32) == 0);
}

/* ---- the text ---- */

TEST(a_signature_travels_as_text)
{
    struct cell_signature s = sign(1, INT64_MAX, 0), read = {.version = 0};
    char text[CELL_SIGNATURE_MAX], again[CELL_SIGNATURE_MAX];
    cell_signature_format(&s, text);
    CHECK(cell_signature_parse(text, strlen(text), &read, NULL) == CELL_OK);
    CHECK(read.version == INT64_MAX && read.expires == 0 && strcmp(read.key, s.key) == 0);
    cell_signature_format(&read, again);
    CHECK_STR(again, text);
    CHECK(check(&read, "auth", document) == CELL_OK);
}

static void refused(const char *text, size_t len)
{
    struct cell_signature s = {.version = 42};
    struct cell_error e = {0};
    CHECK(cell_signature_parse(text, len, &s, &e) == CELL_PROTOCOL_ERROR);
    CHECK(e.text[0] && s.version == 42);
}

TEST(text_that_is_not_exactly_so_is_refused)
{
    struct cell_signature s = sign(1, 7, 1800000000);
    char text[CELL_SIGNATURE_MAX], changed[CELL_SIGNATURE_MAX + 8];
    cell_signature_format(&s, text);
    size_t n = strlen(text);
    /* Cases 30 to 41 of Wycheproof are signatures that are too short or too long. */
    for (size_t len = 0; len < n; len++)
        refused(text, len);
    snprintf(changed, sizeof(changed), "%s ", text);
    refused(changed, n + 1);
    snprintf(changed, sizeof(changed), "%s00", text);
    refused(changed, n + 2);
    snprintf(changed, sizeof(changed), " %s", text);
    refused(changed, n + 1);
    for (size_t i = 0; i < n; i++) {
        memcpy(changed, text, n + 1);
        changed[i] = text[i] == ' ' ? '\t' : 'A'; /* nothing in it is upper-case */
        refused(changed, n);
        changed[i] = '\0';
        refused(changed, n);
    }
    static const char *const numbers[] = {
        " 07 ", " -7 ", " +7 ", " 7. ", "  ", " 9223372036854775808 ", " 99999999999999999999 "};
    const char *at = strstr(text, " 7 ");
    for (size_t i = 0; at && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char long_text[CELL_SIGNATURE_MAX + 32];
        int made = snprintf(long_text, sizeof(long_text), "%.*s%s%s", (int)(at - text), text, numbers[i], at + 3);
        refused(long_text, (size_t)made);
    }
    CHECK(at != NULL);
}

TEST(keys_have_one_spelling)
{
    char key[CELL_KEY_DIGITS + 1] = "";
    CHECK(cell_key_parse("ed25519:" KEY_A, key));
    CHECK_STR(key, KEY_A);
    CHECK(!cell_key_parse(KEY_A, key) && !cell_key_parse("ed25519:", key) && !cell_key_parse("", key));
    CHECK(!cell_key_parse("ed25519:" KEY_A "0", key) && !cell_key_parse("ED25519:" KEY_A, key));
    CHECK(!cell_key_parse("ed25519:7D4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa", key));
    static const char others[] = "/:@G`gz \x7f";
    for (const char *c = others; *c; c++) {
        char text[] = "ed25519:" KEY_A;
        text[sizeof(text) - 2] = *c;
        CHECK(!cell_key_parse(text, key));
    }
}

TEST(a_name_that_has_no_room_in_what_is_signed_is_refused)
{
    struct cell_signature s = {.version = 3};
    struct cell_error e;
    uint8_t seed[32] = {1};
    char name[4096];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    CHECK(cell_signature_make(seed, name, 7, 1800000000, "{}", 2, &s, &e) == CELL_INVALID_ARGUMENT && s.version == 3);
}
