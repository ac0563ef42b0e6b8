#include "plants.h"

#include <string.h>

#include "world.h"

#define OFF(d)  (UINT64_C(1) << SIM_D_##d)
#define BLIND   (OFF(DEDUPE) | OFF(DEDUPE_SENT)) /* nothing is recognised as known */
#define CUTS    (SIM_FAULT_CUT | SIM_FAULT_LATE | SIM_FAULT_MEMBER | SIM_FAULT_ODD)
#define ALL     ((uint32_t)SIM_FAULT_ALL)
#define NO_BACK (ALL & ~(uint32_t)SIM_FAULT_BACK)
/* Nobody and nothing that dies changes rows: no epoch is raised by a person. */
#define ALIVE (NO_BACK & ~(uint32_t)(SIM_FAULT_PERSON | SIM_FAULT_ODD | SIM_FAULT_KILL))

const struct sim_plant sim_plants[] = {
    {"no-fence", 0, OFF(EPOCH) | OFF(OFFSET), ALL, "two-owners lane", false},
    {"no-dedupe", 0, BLIND, ALL, "accepted-once events-once policy-once sent-once scheduled-once",
     false},
    {"plain-settle", 1, OFF(ACQUIRE) | OFF(OFFSET) | OFF(DEDUPE), CUTS,
     "lane order events-once accepted-once", true},
    {"acquire-alone", 1, OFF(OFFSET) | OFF(DEDUPE), CUTS, "", true},
    {"no-reacquire", 2, OFF(REACQUIRE), ALL, "stuck", false},
    {"no-confirm", 2, OFF(CONFIRM), ALL, "usurped", false},
    {"fence-per-lane", 3, OFF(ONE_FENCE), ALIVE, "two-owners", false},
    {"conflict-alone", 4, OFF(TAINT), ALL, "imaginary-state", false},
    {"mark-passes", 4, OFF(MARK), ALL, "low-water accepted-once", false},
    {"waiting-known", 5, OFF(WAITING_OPEN), ALL, "outcome events-once accepted-once", false},
    {"row-stays", 5, OFF(WAIT_TAKEN) | OFF(DEDUPE), CUTS, "events-once accepted-once order", true},
    {"redrive-twice", 5, OFF(REDRIVE_ONCE) | OFF(DEDUPE), CUTS | SIM_FAULT_PERSON,
     "events-once accepted-once", true},
    {"redrive-once", 5, OFF(DEDUPE), CUTS | SIM_FAULT_PERSON, "", true},
    {"dedupe-wide", 6, OFF(DEDUPE_NARROW), ALL, "accepted-once events-once", false},
    {"dedupe-short", 6, OFF(DEDUPE_LONG), ALL, "accepted-once events-once", false},
    {"append-stale", 7, OFF(FRESH_APPEND), NO_BACK,
     "imaginary-state accepted-once events-once scheduled-once", false},
    {"claim-stale", 7, OFF(FRESH_CLAIM) | OFF(OFFSET) | BLIND, NO_BACK,
     "lane order events-once accepted-once policy-once scheduled-once", false},
    {"store-back", 8, OFF(STORE_ID), ALL, "model topic reader published low-water", false},
    {"adopt-keeps", 8, OFF(FORK_ALWAYS), ALL, "model topic reader", false},
    {"fork-epochs", 8, OFF(FORK_EPOCHS), ALL, "two-owners published", false},
    {"no-idle-look", 8, OFF(IDLE_LOOK), SIM_FAULT_BACK, "stuck", false},
    {"random-ids", 9, OFF(STABLE_IDS), ALL, "sent-once", false},
    {"by-time", 10, OFF(TICKETS), NO_BACK, "order", false},
    {"parked-unread", 10, OFF(PARKED_KNOWN), ALL, "order stuck ticket", false},
    {"change-unfenced", 10, OFF(CHANGE_FENCED), ALL, "stuck order ticket", false},
    {"no-fingerprint", 11, OFF(FINGERPRINT), SIM_FAULT_RECREATE, "recreated", false},
    {"no-tail", 12, OFF(TAIL), ALL, "stuck", false},
    {"position-lost", 12, OFF(POSITION) | OFF(TAIL), ALL, "stuck topic", false},
    {"no-repair", 12, OFF(REPAIR), ALL, "model", false},
    {"no-drop", 13, OFF(DROP), ALL, "model", false},
    {"effect-key", 14, OFF(EFFECT_KEY), ALL, "effect-once", false},
    {"stray-handled", 15, OFF(FORWARD), ALL, "imaginary-state events-once accepted-once", false},
    {"no-idle-limit", 16, OFF(IDLE_LIMIT), ALL, "stuck", false},
    {"relay-epoch", 17, OFF(RELAY_EPOCH), ALL, "published", false},
    {"relay-gaps", 17, OFF(CONTIGUOUS), ALL, "stuck sent-once topic", false},
    {"relay-refused", 17, OFF(REFUSED), ALL, "stuck flood", false},
    {"no-checkpoint", 18, OFF(CHECKPOINT), ALL, "model", false},
    {"redis-zero", 19, OFF(REDIS_MISSING), ALL, "model", false},
    {"redis-older", 19, OFF(REDIS_OLDER), ALL, "model", false},
    {"rows-last", 20, OFF(COMMUTE), ALL, "shared-rows", false},
    {"kill-blames", 21, OFF(EVIDENCE), ALL, "outcome", false},
    {"tries-lost", 21, OFF(TRIES_KEPT), ALL, "stuck", false},
    {"policy-offset", 22, OFF(SEQ_LANE) | OFF(DEDUPE_SENT), ALL, "policy-once stuck sent-once",
     false},
    {"no-versions", 0, OFF(VERSIONS), ALL, "imaginary-state", false},
    {"snapshot-alone", 0, OFF(SNAPSHOT), ALL, "snapshot", false},
    {"no-ageing", 0, OFF(AGEING), 0, "ageing", false},
};
const size_t sim_plant_count = sizeof sim_plants / sizeof sim_plants[0];

const struct sim_plant *sim_plant_find(const char *name)
{
    for (size_t i = 0; i < sim_plant_count; i++) {
        if (strcmp(sim_plants[i].name, name) == 0)
            return &sim_plants[i];
    }
    return NULL;
}

bool sim_plant_holds(const struct sim_plant *p)
{
    return p->finders[0] == '\0';
}

bool sim_plant_found_by(const struct sim_plant *p, const char *invariant)
{
    size_t n = strlen(invariant);
    for (const char *at = p->finders; *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == n && strncmp(at, invariant, n) == 0)
            return true;
        at += word;
    }
    return false;
}
