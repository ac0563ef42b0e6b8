#include <criterion/criterion.h>

#include "redis/url.h"

static struct leat_redis_url good(const char *text)
{
    struct leat_redis_url u = {.db = -1};
    struct leat_error err = {0};
    cr_assert_eq(leat_redis_url_parse(text, &u, &err), LEAT_OK, "%s: %s", text, err.msg);
    return u;
}

Test(redis_url, hosts_ports_and_database)
{
    struct leat_redis_url u = good("redis://127.0.0.1:7001,cache,[::1]:7003/5");
    cr_assert_eq(u.n_hosts, 3);
    cr_expect_str_eq(u.hosts[0].name, "127.0.0.1");
    cr_expect_eq(u.hosts[0].port, 7001);
    cr_expect_str_eq(u.hosts[1].name, "cache");
    cr_expect_eq(u.hosts[1].port, 6379);
    cr_expect_str_eq(u.hosts[2].name, "::1");
    cr_expect_eq(u.hosts[2].port, 7003);
    cr_expect_eq(u.db, 5);
    cr_expect_eq(good("redis://h").db, 0);
    cr_expect_eq(good("redis://h/").db, 0);
}

Test(redis_url, who_logs_in)
{
    struct leat_redis_url u = good("redis://us%65r:p%40ss:w%2Frd@h:1");
    cr_expect_str_eq(u.user, "user");
    cr_expect_str_eq(u.password, "p@ss:w/rd");
    u = good("redis://:secret@h");
    cr_expect_str_eq(u.user, "");
    cr_expect_str_eq(u.password, "secret");
}

Test(redis_url, what_is_wrong_is_said_without_the_password)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"http://h", "a Redis URL starts with redis://"},
        {"rediss://h", "rediss:// is not spoken yet: put a TLS proxy such as stunnel in front"},
        {"redis://", "Redis URL: '' is no host:port"},
        {"redis://u:hidden@h:0", "Redis URL: 'h:0' is no host:port"},
        {"redis://u:hidden@h:99999", "Redis URL: 'h:99999' is no host:port"},
        {"redis://h:1,", "Redis URL: '' is no host:port"},
        {"redis://[::1", "Redis URL: '[::1' is no host:port"},
        {"redis://h/x", "'x' is no number of a Redis database"},
        {"redis://h?db=1", "a Redis URL has no options: '?db=1'"},
        {"redis://u:%zz@h",
         "Redis: the user or password of the Redis URL is too long or not escaped well"},
        {"redis://u:abc%4@h",
         "Redis: the user or password of the Redis URL is too long or not escaped well"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct leat_redis_url u;
        struct leat_error err = {0};
        cr_expect_eq(leat_redis_url_parse(bad[i].text, &u, &err), LEAT_INVALID, "%s", bad[i].text);
        cr_expect_str_eq(err.msg, bad[i].says);
    }
}
