/* http.auth and http.limits: what they mean, and what is said of mistakes. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "topology/topology.h"

#define HEAD                                                                                       \
    "leat: 1\nname: shop\npartitions: 12\nkafka: {bootstrap.servers: k}\nstore: {url: pg}\n"       \
    "aggregates: {order: {key: id}}\n"                                                             \
    "processors: {orders: {aggregate: order, commands: [PlaceOrder, CancelOrder], "                \
    "emits: [OrderPlaced]}}\n"                                                                     \
    "projections: {open: {key: $.id, from: {OrderPlaced: {set: {tenant: $.t, email: $.e}}}}}\n"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct outcome {
    struct leat_topology *t;
    struct leat_report report;
    char text[8000];
};

static void load(struct outcome *o, const char *yaml)
{
    struct leat_error err = {0};
    struct leat_buf b;
    *o = (struct outcome){0};
    leat_status status =
        leat_topology_load_text("s.yaml", leat_str_of(yaml), false, &o->t, &o->report, &err);
    cr_assert_eq(status == LEAT_OK, o->t != NULL);
    leat_buf_init(&b, sizeof o->text - 1);
    leat_report_text(&o->report, &b);
    memcpy(o->text, b.len > 0 ? b.at : "", b.len);
    leat_buf_done(&b);
}

static void done(struct outcome *o)
{
    leat_topology_free(o->t);
    leat_report_done(&o->report);
}

static void expect_said(const char *http, const char *wanted)
{
    char yaml[4000];
    struct outcome o;
    (void)snprintf(yaml, sizeof yaml, HEAD "http: %s\n", http);
    load(&o, yaml);
    cr_expect(strstr(o.text, wanted) != NULL, "%s\nsaid: %s", http, o.text);
    cr_expect_null(o.t, "%s", http);
    done(&o);
}

Test(topology_access, roles_keys_tokens_and_rates_are_read)
{
    struct outcome o;
    load(&o,
         HEAD "http:\n"
              "  listen: 0.0.0.0:80\n"
              "  limits: {requests: strict, per: address}\n"
              "  auth:\n"
              "    roles:\n"
              "      clerk:\n"
              "        commands: PlaceOrder\n"
              "        models: {open: {where: {tenant: $claim.tenant, email: x}, mask: email}}\n"
              "        requests: 20/s\n"
              "      boss: {commands: '*', models: '*', streams: true, operate: true}\n"
              "    keys:\n"
              "      website: {sha256: " SHA ", roles: [clerk, boss], claims: {tenant: acme}}\n"
              "    jwt: {algorithm: HS256, secret: " SHA ", audience: shop}\n"
              "    anonymous: clerk\n");
    cr_assert_not_null(o.t, "%s", o.text);
    const struct leat_access *a = &o.t->http.access;
    cr_expect(a->given && a->n_roles == 2 && a->n_keys == 1 && a->anonymous.n == 1);
    cr_expect(a->rate.requests == 10 && a->rate.window_ms == 60000);
    cr_expect_eq(a->rate_per, LEAT_RATE_PER_ADDRESS);
    const struct leat_access_role *clerk = &a->roles[0];
    cr_expect(clerk->rate.requests == 20 && clerk->rate.window_ms == 1000);
    cr_expect(clerk->commands.n == 1 && !clerk->all_commands && clerk->n_models == 1);
    cr_expect(clerk->models[0].n_where == 2 && clerk->models[0].mask.n == 1);
    cr_expect(leat_str_eq(clerk->models[0].where[0].claim, LEAT_STR("tenant")));
    cr_expect(clerk->models[0].where[1].claim.len == 0);
    cr_expect(a->roles[1].all_commands && a->roles[1].all_models && a->roles[1].operate);
    cr_expect(a->keys[0].roles.n == 2 && a->keys[0].n_claims == 1);
    cr_expect(a->jwt.given && a->jwt.leeway_ms == 30000);
    cr_expect(leat_str_eq(a->jwt.roles_claim, LEAT_STR("roles")));
    done(&o);
}

Test(topology_access, mistakes_are_told_with_the_nearest_name)
{
    expect_said("{listen: '0.0.0.0:80'}", "open to other machines");
    expect_said("{listen: '[::]:80'}", "listen on 127.0.0.1");
    expect_said("{limits: {requests: 100}}", "is no rate");
    expect_said("{limits: {requests: 0/s}}", "is no rate");
    expect_said("{limits: {requests: 1000001/s}}", "is no rate");
    expect_said("{limits: {}}", "requests");
    expect_said("{auth: {roles: {a: {}}}}", "nobody could ask anything");
    expect_said("{auth: {anonymous: a}}", "roles");
    expect_said("{auth: {roles: {a: {commands: PlaceOrdr}}, anonymous: a}}",
                "did you mean 'PlaceOrder'");
    expect_said("{auth: {roles: {a: {models: opn}}, anonymous: a}}", "did you mean 'open'");
    expect_said("{auth: {roles: {a: {models: {open: {where: {tenat: x}}}}}, anonymous: a}}",
                "did you mean 'tenant'");
    expect_said("{auth: {roles: {a: {models: {open: {mask: emial}}}}, anonymous: a}}",
                "did you mean 'email'");
    expect_said("{auth: {roles: {a: {models: {open: {where: {tenant: $.x}}}}}, anonymous: a}}",
                "neither a constant nor a claim");
    expect_said("{auth: {roles: {clerk: {}}, anonymous: clrk}}", "did you mean 'clerk'");
    expect_said("{auth: {roles: {a: {}}, keys: {k: {sha256: 12, roles: a}}}}", "64 hex digits");
    expect_said("{auth: {roles: {a: {}}, keys: {k: {sha256: " SHA ", roles: b}}}}", "no role 'b'");
    expect_said("{auth: {roles: {a: {}}, jwt: {algorithm: HS256, secret: short}}}", "32 bytes");
    expect_said("{auth: {roles: {a: {}}, jwt: {}}}", "RS256 needs the keys");
    expect_said("{auth: {roles: {a: {}}, jwt: {algorithm: none}}}", "RS256");
    expect_said("{auth: {roles: {a: {}}, jwt: {jwks: 'http://id.example/keys'}}}", "https://");
    expect_said("{auth: {roles: {a: {}}, jwt: {jwks: 'http://localhost:1@b/'}}}", "https://");
    expect_said("{auth: {roles: {a: {}}, jwt: {jwks: 'http://localhost.b/'}}}", "https://");
    expect_said("{auth: {roles: {a: {}}, jwt: {jwks: 'file:///etc/keys'}}}", "https://");
    expect_said("{auth: {roles: {a: {}}, jwt: {jwks: f, secret: s}}}", "not with RS256");
    expect_said("{auth: {rolles: {a: {}}, anonymous: a}}", "did you mean 'roles'");
}

/* For `leat run --listen`. */
Test(topology_access, without_a_section_its_defaults_hold)
{
    struct outcome o;
    load(&o, HEAD);
    cr_assert_not_null(o.t, "%s", o.text);
    cr_expect_eq(o.t->http.max_body_bytes, 1 << 20);
    cr_expect_null(o.t->http.listen);
    done(&o);
}

/* A secret that came in by a variable is in no message. */
Test(topology_access, a_short_secret_is_not_repeated)
{
    struct outcome o;
    load(&o, HEAD "http: {auth: {roles: {a: {}}, jwt: {algorithm: HS256, secret: hush-hush}}}\n");
    cr_expect_null(o.t);
    cr_expect(strstr(o.text, "hush-hush") == NULL, "%s", o.text);
    done(&o);
}
